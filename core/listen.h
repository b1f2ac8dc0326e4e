/* listen.h - a unix socket that takes connections of our own user and of root. */
#ifndef XH_LISTEN_H
#define XH_LISTEN_H

#include <sys/types.h>

#include <uv.h>

typedef struct xh_listen xh_listen;

/* A connection: fd is the callee's to close; uid and pid are the peer's (SO_PEERCRED).
 * Others than our user and root were turned away. */
typedef void (*xh_connect_fn)(xh_listen *l, int fd, uid_t uid, pid_t pid, void *user);

/* Bind `name` in the folder behind dir, mode 0600, and listen. A socket file that
 * nobody serves any more is replaced; UV_EADDRINUSE: somebody does. The 107 bytes of a
 * socket's path do not matter: it goes through /proc/self/fd. Returns 0 or a negative
 * uv error. */
int xh_listen_open(xh_listen **out, uv_loop_t *loop, int dir, const char *name,
                   xh_connect_fn on_connect, void *user);

/* The same for a socket that already listens (socket activation); taken over. */
int xh_listen_fd(xh_listen **out, uv_loop_t *loop, int fd, xh_connect_fn on_connect,
                 void *user);

/* Listen on a TCP port of 127.0.0.1, 0 for any: for whoever is on this machine; uid is
 * then (uid_t)-1. Returns the port or a negative uv error. */
int xh_listen_loopback(xh_listen **out, uv_loop_t *loop, int port,
                       xh_connect_fn on_connect, void *user);

/* No more connections; those that were made go on. Removes the name it bound. Safe on
 * NULL. */
void xh_listen_close(xh_listen *l);

/* Connect to `name` in a folder. Returns a non-blocking descriptor or a negative uv
 * error: UV_EAGAIN when nobody is taken in and no more may wait. */
int xh_listen_connect(int dir, const char *name);

#endif
