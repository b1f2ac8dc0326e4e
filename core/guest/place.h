/* place.h - make the guest a place where a job can run. */
#ifndef XH_GUEST_PLACE_H
#define XH_GUEST_PLACE_H

#include <stdbool.h>

typedef struct xh_options {
  char report[128]; /* exhost.report: vsock:PORT, unix:PATH, serial */
  char root[128];   /* exhost.root: a block device, or a folder; "" = as it is */
  char job[128];    /* exhost.job: the job's file */
  char net[128];    /* exhost.net: ADDRESS/BITS,GATEWAY of eth0; "" = there is none */
  bool read_only;   /* exhost.ro: the root file system */
  bool namespaces;  /* exhost.namespaces: pid 1 of namespaces, not of a kernel */
} xh_options;

/* From the kernel's command line, then from our own: of two the last counts. */
void xh_place_options(xh_options *options, int argc, char **argv);

/* Folders of the kernel, loopback, and the modules in /exhost/modules. */
void xh_place_mount(const xh_options *options);

/* Go over to the root file system. 0 or a negative errno. */
int xh_place_enter(const xh_options *options);

/* Number of processes that the kernel has killed for want of memory; -1 = unknown. */
long xh_place_oom_kills(void);

/* All that was written is on the disk, which is clean: the machine may be killed. */
void xh_place_settle(const xh_options *options);

/* Never returns. Ends the machine in the way that ends its monitor, too. */
_Noreturn void xh_place_end(const xh_options *options);

#endif
