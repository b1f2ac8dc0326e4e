/* lines.h - what comes in on a pipe or socket, line by line. */
#ifndef XH_LINES_H
#define XH_LINES_H

#include <stddef.h>

#include <uv.h>

typedef struct xh_lines xh_lines;

/* Called for every line without its newline, and once with NULL at the end: error is 0,
 * UV_EMSGSIZE for a line over the limit, or another uv error. A last line without
 * newline is dropped. line is valid during the call. The reader may be closed from
 * inside. */
typedef void (*xh_lines_fn)(xh_lines *l, const char *line, size_t len, int error,
                            void *user);

/* Read fd, which is made non-blocking and taken over on success. Returns 0 or a
 * negative uv error. */
int xh_lines_open(xh_lines **out, uv_loop_t *loop, int fd, size_t limit,
                  xh_lines_fn on_line, void *user);

/* The next descriptor that came along on a socket, the caller's from then on; -1: none.
 * It is there by the time its line is told. */
int xh_lines_take_fd(xh_lines *l);

/* No callback any more; closes fd and frees l in time. Safe on NULL. */
void xh_lines_close(xh_lines *l);

#endif
