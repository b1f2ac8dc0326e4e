/* dial.h - connect to an engine's address. */
#ifndef XH_DIAL_H
#define XH_DIAL_H

#include <stdbool.h>

/* Check "unix:/path" or "tcp:IP:PORT" (IPv6 in brackets). */
bool xh_dial_check(const char *address);

/* Begin to connect: a non-blocking descriptor, which is writable once the
 * connection stands or has failed, or a negative errno. */
int xh_dial(const char *address);

#endif
