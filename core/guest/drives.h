/* drives.h - the inputs and outputs of the job, which are drives of the machine. */
#ifndef XH_GUEST_DRIVES_H
#define XH_GUEST_DRIVES_H

#include "job.h"
#include "place.h"

typedef struct xh_drives {
  struct xh_drive {
    const char *device;
    const char *target;
    char how; /* 'r' = read-only, 'w' = written, 'f' = its one file, read-only */
    int fd;   /* O_PATH */
  } * list;
  size_t count;
} xh_drives;

/* Take hold of the devices, which a change of root would hide. 0 or a negative errno.
 */
int xh_drives_open(xh_drives *drives, const xh_job *job, const xh_options *options);

/* Mount them where the job wants them; what is written is its own. 0 or a negative
 * errno.
 */
int xh_drives_mount(const xh_drives *drives, const xh_job *job);

/* All that was written is on them, and they are clean. No process may hold them. */
void xh_drives_settle(const xh_drives *drives);

#endif
