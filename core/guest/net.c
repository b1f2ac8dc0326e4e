/* net.c - the one network interface of a guest, with a static address. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "eth0"
#define TRIES 200 /* its driver may still look for it: 5 s */
#define PAUSE_MS 25

typedef struct xh_address {
  struct in_addr own, mask, gateway;
} xh_address;

static int parse(const char *text, xh_address *out) {
  char copy[64];
  if (strlen(text) >= sizeof copy)
    return -EINVAL;
  strcpy(copy, text);
  char *slash = strchr(copy, '/');
  char *comma = slash != NULL ? strchr(slash, ',') : NULL;
  if (comma == NULL)
    return -EINVAL;
  *slash = *comma = '\0';
  long bits = strtol(slash + 1, NULL, 10);
  if (bits < 1 || bits > 32 || inet_aton(copy, &out->own) == 0 ||
      inet_aton(comma + 1, &out->gateway) == 0)
    return -EINVAL;
  out->mask.s_addr = htonl(~0U << (32 - bits));
  return 0;
}

static struct sockaddr socket_address(struct in_addr address) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};
  struct sockaddr out;
  memcpy(&out, &in, sizeof out);
  return out;
}

static int set(int fd, unsigned long what, struct in_addr address) {
  struct ifreq request = {.ifr_name = NAME, .ifr_addr = socket_address(address)};
  return ioctl(fd, what, &request) == 0 ? 0 : -errno;
}

static int raise_it(int fd) {
  struct ifreq request = {.ifr_name = NAME};
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
    return -errno;
  request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
  return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

static int add_route(int fd, struct in_addr gateway) {
  struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
  struct in_addr any = {INADDR_ANY};
  route.rt_dst = route.rt_genmask = socket_address(any);
  route.rt_gateway = socket_address(gateway);
  return ioctl(fd, SIOCADDRT, &route) == 0 || errno == EEXIST ? 0 : -errno;
}

int xh_net_raise(const char *text) {
  xh_address address;
  if (text[0] == '\0')
    return 0;
  int err = parse(text, &address);
  if (err < 0)
    return err;
  for (int i = 0; i < TRIES && if_nametoindex(NAME) == 0; i++)
    poll(NULL, 0, PAUSE_MS);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  err = set(fd, SIOCSIFADDR, address.own);
  if (err == 0)
    err = set(fd, SIOCSIFNETMASK, address.mask);
  if (err == 0)
    err = raise_it(fd);
  if (err == 0)
    err = add_route(fd, address.gateway);
  close(fd);
  return err;
}
