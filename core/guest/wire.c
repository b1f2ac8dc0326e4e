/* wire.c - frames, and the check of what came over a console. */
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

bool xh_wire_write(int fd, const void *data, size_t size) {
  const char *at = data;
  while (size > 0) {
    ssize_t wrote = write(fd, at, size);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0 && errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      poll(&writable, 1, -1);
      continue;
    }
    if (wrote <= 0)
      return false;
    at += wrote;
    size -= (size_t)wrote;
  }
  return true;
}

bool xh_wire_send(int fd, char type, const void *data, size_t size) {
  unsigned char header[XH_WIRE_HEADER] = {(unsigned char)type};
  for (int i = 0; i < 4; i++)
    header[4 + i] = (unsigned char)(size >> (24 - 8 * i));
  return xh_wire_write(fd, header, sizeof header) && xh_wire_write(fd, data, size);
}

uint32_t xh_wire_size(const unsigned char *header) {
  uint32_t size = 0;
  for (int i = 0; i < 4; i++)
    size = size << 8 | header[4 + i];
  return size;
}

uint32_t xh_wire_crc(const char *data, size_t size) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < size; i++) {
    crc ^= (unsigned char)data[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (0xedb88320U & (0U - (crc & 1)));
  }
  return ~crc;
}
