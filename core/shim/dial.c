/* dial.c - connect to an engine's address. */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

typedef union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} address;

/* The size, or 0 if this is no numeric address with a port. */
static socklen_t parse_tcp(const char *text, address *out) {
  char host[INET6_ADDRSTRLEN];
  bool v6 = *text == '[';
  const char *end = strchr(text, v6 ? ']' : ':');
  const char *start = v6 ? text + 1 : text;
  uint64_t port;
  if (end == NULL || (size_t)(end - start) >= sizeof host)
    return 0;
  memcpy(host, start, (size_t)(end - start));
  host[end - start] = '\0';
  if (v6 && *++end != ':')
    return 0;
  if (!xh_text_parse(end + 1, 10, &port) || port == 0 || port > UINT16_MAX)
    return 0;
  *out = (address){0};
  out->any.sa_family = v6 ? AF_INET6 : AF_INET;
  if (v6)
    out->v6.sin6_port = htons((uint16_t)port);
  else
    out->v4.sin_port = htons((uint16_t)port);
  void *at = v6 ? (void *)&out->v6.sin6_addr : (void *)&out->v4.sin_addr;
  if (inet_pton(out->any.sa_family, host, at) != 1)
    return 0;
  return v6 ? sizeof out->v6 : sizeof out->v4;
}

bool xh_dial_check(const char *text) {
  address ignored;
  if (strncmp(text, "unix:", 5) == 0)
    return text[5] == '/';
  return strncmp(text, "tcp:", 4) == 0 && parse_tcp(text + 4, &ignored) > 0;
}

static int begin(const struct sockaddr *to, socklen_t size) {
  int fd = socket(to->sa_family, SOCKET_FLAGS, 0);
  if (fd < 0)
    return -errno;
  if (connect(fd, to, size) == 0 || errno == EINPROGRESS)
    return fd;
  int err = -errno;
  close(fd);
  return err;
}

/* A path may be longer than a socket's address, and one that leads through the
 * descriptor is not. */
static int dial_unix(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (strlen(path) < sizeof to.sun_path) {
    strcpy(to.sun_path, path);
    return begin((struct sockaddr *)&to, sizeof to);
  }
  int at = open(path, O_PATH | O_CLOEXEC);
  if (at < 0)
    return -errno;
  xh_text out = {to.sun_path, to.sun_path + sizeof to.sun_path - 1};
  xh_text_add(&out, "/proc/self/fd/");
  xh_text_number(&out, (uint64_t)at);
  int fd = begin((struct sockaddr *)&to, sizeof to);
  close(at);
  return fd;
}

/* An engine's machine that went away without a word is noticed within minutes. */
static void keep_alive(int fd) {
  static const int OPTIONS[][2] = {
    {TCP_KEEPIDLE, 30}, {TCP_KEEPINTVL, 10}, {TCP_KEEPCNT, 6}};
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
    setsockopt(fd, IPPROTO_TCP, OPTIONS[i][0], &OPTIONS[i][1], sizeof(int));
}

int xh_dial(const char *text) {
  address to;
  if (strncmp(text, "unix:", 5) == 0)
    return dial_unix(text + 5);
  socklen_t size = parse_tcp(text + 4, &to);
  if (size == 0)
    return -EINVAL;
  int fd = begin(&to.any, size);
  if (fd >= 0)
    keep_alive(fd);
  return fd;
}
