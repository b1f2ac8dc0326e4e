/* listen.c - a unix socket that takes connections of our own user and of root. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, NAME_SIZE = 64 };

struct xh_listen {
  uv_poll_t poll;
  int fd;
  int dir; /* our duplicate, -1 when we bound no name */
  char name[NAME_SIZE];
  bool closed, anybody;
  xh_connect_fn on_connect;
  void *user;
};

static int address_of(struct sockaddr_un *a, int dir, const char *name) {
  *a = (struct sockaddr_un){.sun_family = AF_UNIX};
  int n = snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", dir, name);
  return n > 0 && n < (int)sizeof a->sun_path && strchr(name, '/') == NULL
           ? 0
           : UV_ENAMETOOLONG;
}

/* A connect that waits would wait for ever for a host that takes nobody. */
int xh_listen_connect(int dir, const char *name) {
  struct sockaddr_un a;
  int err = address_of(&a, dir, name);
  int fd =
    err < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return err < 0 ? err : -errno;
  if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
    return fd;
  err = -errno;
  close(fd);
  return err;
}

static void on_closed(uv_handle_t *handle) {
  xh_listen *l = handle->data;
  close(l->fd);
  if (l->dir >= 0)
    close(l->dir);
  free(l);
}

static void take_one(xh_listen *l, int fd) {
  if (l->anybody) {
    l->on_connect(l, fd, (uid_t)-1, 0, l->user);
    return;
  }
  struct ucred peer;
  socklen_t size = sizeof peer;
  bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (known && (peer.uid == geteuid() || peer.uid == 0))
    l->on_connect(l, fd, peer.uid, peer.pid, l->user);
  else
    close(fd);
}

static void on_connection(uv_poll_t *poll, int status, int events) {
  xh_listen *l = poll->data;
  (void)status;
  (void)events;
  while (!l->closed) {
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
      return; /* none, or no descriptor is left: it waits in the queue */
    take_one(l, fd);
  }
}

static int bind_name(int fd, int dir, const char *name) {
  struct sockaddr_un a;
  int err = address_of(&a, dir, name);
  if (err < 0)
    return err;
  int other = xh_listen_connect(dir, name);
  if (other >= 0)
    close(other);
  if (other >= 0 || other == UV_EAGAIN)
    return UV_EADDRINUSE;
  if (other == UV_ECONNREFUSED)
    unlinkat(dir, name, 0);
  /* The folder is 0700, so there is no moment in which others could connect. */
  if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0)
    return -errno;
  return fchmodat(dir, name, 0600, 0) == 0 ? 0 : -errno;
}

int xh_listen_fd(xh_listen **out, uv_loop_t *loop, int fd, xh_connect_fn on_connect,
                 void *user) {
  xh_listen *l = calloc(1, sizeof *l);
  if (l == NULL)
    return UV_ENOMEM;
  int err = uv_poll_init(loop, &l->poll, fd);
  if (err < 0) {
    free(l);
    return err;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  l->fd = fd;
  l->dir = -1;
  l->on_connect = on_connect;
  l->user = user;
  l->poll.data = l;
  uv_poll_start(&l->poll, UV_READABLE, on_connection);
  *out = l;
  return 0;
}

int xh_listen_open(xh_listen **out, uv_loop_t *loop, int dir, const char *name,
                   xh_connect_fn on_connect, void *user) {
  if (strlen(name) >= NAME_SIZE)
    return UV_ENAMETOOLONG;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  int err = bind_name(fd, dir, name);
  if (err == 0 && listen(fd, BACKLOG) != 0)
    err = -errno;
  if (err == 0)
    err = xh_listen_fd(out, loop, fd, on_connect, user);
  if (err < 0) {
    close(fd);
    return err;
  }
  (*out)->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
  strcpy((*out)->name, name);
  return 0;
}

int xh_listen_loopback(xh_listen **out, uv_loop_t *loop, int port,
                       xh_connect_fn on_connect, void *user) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int err = 0;
  if (bind(fd, (struct sockaddr *)&a, size) != 0 || listen(fd, BACKLOG) != 0 ||
      getsockname(fd, (struct sockaddr *)&a, &size) != 0)
    err = -errno;
  if (err == 0)
    err = xh_listen_fd(out, loop, fd, on_connect, user);
  if (err < 0) {
    close(fd);
    return err;
  }
  (*out)->anybody = true;
  return ntohs(a.sin_port);
}

void xh_listen_close(xh_listen *l) {
  if (l == NULL || l->closed)
    return;
  l->closed = true;
  if (l->dir >= 0)
    unlinkat(l->dir, l->name, 0);
  uv_close((uv_handle_t *)&l->poll, on_closed);
}
