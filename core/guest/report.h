/* report.h - the guest's word to the host: a connection, else the console. */
#ifndef XH_GUEST_REPORT_H
#define XH_GUEST_REPORT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct xh_reporter {
  const char *where; /* vsock:PORT, unix:PATH or serial */
  int socket; /* of unix: the socket's file, which outlasts a change of root; or -1 */
  int connection; /* -1 = the serial console alone */
  int console;
  bool kernel_silent; /* by the console alone: the kernel is ours to be told so */
  const char *token;
  unsigned number; /* of the next record */
} xh_reporter;

/* `where`: vsock:PORT, unix:PATH or serial. A host that cannot be reached leaves the
 * console. */
void xh_report_open(xh_reporter *r, const char *where, const char *token);

/* One more connection to where the first one went, or -1. */
int xh_report_dial(const xh_reporter *r);

/* Send a numbered record by every way there is. */
void xh_report(xh_reporter *r, const char *format, ...)
  __attribute__((format(printf, 2, 3)));

/* A piece of output: 'O' or 'E'. */
void xh_report_output(xh_reporter *r, char type, const char *data, size_t size);

/* Wait until the host has the end, for two seconds at most. */
void xh_report_settle(xh_reporter *r);

#endif
