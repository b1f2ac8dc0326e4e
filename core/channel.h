/* channel.h - short lines both ways over a connected socket.
 *
 * What a host and a shim say to each other before the workload runs: a few words,
 * answered at once, so a line that does not fit the socket is an error, not a queue. */
#ifndef XH_CHANNEL_H
#define XH_CHANNEL_H

#include <uv.h>

typedef struct xh_channel xh_channel;

enum { XH_CHANNEL_LINE = 512 };

/* Called for every line, without its newline, and once with NULL at the end (closed,
 * failed, or a line over XH_CHANNEL_LINE or with a NUL in it). An unfinished last line
 * is not told. The channel may be closed from inside. */
typedef void (*xh_line_fn)(xh_channel *c, const char *line, void *user);

/* A connected pair: *out speaks here, *other is a blocking descriptor for the other
 * side, which the caller closes. Returns 0 or a negative uv error. */
int xh_channel_open(xh_channel **out, int *other, uv_loop_t *loop, xh_line_fn on_line,
                    void *user);

/* Send one line; the newline is added. Returns 0 or a negative uv error. */
int xh_channel_send(xh_channel *c, const char *line);

/* No callback any more; frees c in time. Safe on NULL. */
void xh_channel_close(xh_channel *c);

#endif
