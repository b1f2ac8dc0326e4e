/* report.c - records by vsock (or a unix socket) and, a copy, by the console. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "wire.h"

#define TRIES 20 /* the transport's driver may still be coming up */
#define PAUSE_MS 25
#define SETTLE_MS 2000
#define SYSLOG_CONSOLE_OFF 6

static int dial(int family, const void *address, socklen_t size) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  if (connect(fd, address, size) == 0)
    return fd;
  close(fd);
  return -1;
}

static int dial_vsock(const char *port) {
  struct sockaddr_vm address = {
    .svm_family = AF_VSOCK,
    .svm_port = (unsigned)strtoul(port, NULL, 10),
    .svm_cid = VMADDR_CID_HOST,
  };
  return dial(AF_VSOCK, &address, sizeof address);
}

static int dial_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path)
    return -1;
  strcpy(address.sun_path, path);
  return dial(AF_UNIX, &address, sizeof address);
}

int xh_report_dial(const xh_reporter *r) {
  char path[32];
  int fd = -1;
  for (int i = 0; i < TRIES && fd < 0; i++) {
    if (i > 0)
      poll(NULL, 0, PAUSE_MS);
    if (strncmp(r->where, "vsock:", 6) == 0) {
      fd = dial_vsock(r->where + 6);
    } else if (r->socket >= 0) {
      snprintf(path, sizeof path, "/proc/self/fd/%d", r->socket);
      fd = dial_unix(path);
    } else {
      return -1;
    }
  }
  return fd;
}

/* Bytes are to come out as they go in: no "\r" before a "\n". */
static void make_raw(int console) {
  struct termios mode;
  if (tcgetattr(console, &mode) != 0)
    return;
  cfmakeraw(&mode);
  tcsetattr(console, TCSANOW, &mode);
}

void xh_report_open(xh_reporter *r, const char *where, const char *token) {
  r->console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fcntl(STDOUT_FILENO, F_GETFD) >= 0) {
    if (r->console >= 0)
      close(r->console);
    r->console = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
  }
  make_raw(r->console);
  r->token = token;
  r->where = where;
  if (strncmp(where, "unix:", 5) == 0)
    r->socket = open(where + 5, O_PATH | O_CLOEXEC);
  r->connection = xh_report_dial(r);
  /* Then the console is the output: the kernel keeps off it, but for a panic. */
  if (r->connection < 0 && r->kernel_silent)
    klogctl(SYSLOG_CONSOLE_OFF, NULL, 0);
  xh_report(r, "HELLO proto=1 by=%s token=%s", r->connection >= 0 ? "socket" : "serial",
            token);
}

void xh_report(xh_reporter *r, const char *format, ...) {
  char record[XH_WIRE_RECORD_MAX];
  char line[XH_WIRE_RECORD_MAX + XH_WIRE_TOKEN_MAX + 64];
  int used = snprintf(record, sizeof record, "%u ", r->number++);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(record + used, sizeof record - (size_t)used, format, arguments);
  va_end(arguments);
  size_t size = strlen(record);
  if (r->connection >= 0 &&
      !xh_wire_send(r->connection, XH_WIRE_RECORD, record, size)) {
    close(r->connection);
    r->connection = -1;
  }
  snprintf(line, sizeof line, XH_WIRE_MARK "%s %zu %08x %s\n", r->token, size,
           xh_wire_crc(record, size), record);
  if (r->console >= 0)
    xh_wire_write(r->console, line, strlen(line));
}

void xh_report_output(xh_reporter *r, char type, const char *data, size_t size) {
  if (r->connection >= 0)
    xh_wire_send(r->connection, type, data, size);
}

void xh_report_settle(xh_reporter *r) {
  struct pollfd readable = {.fd = r->connection, .events = POLLIN};
  unsigned char header[XH_WIRE_HEADER];
  if (r->console >= 0)
    tcdrain(r->console);
  if (r->connection < 0)
    return;
  /* Signals that came too late lie before it; what they hold is short. */
  while (poll(&readable, 1, SETTLE_MS) > 0) {
    if (recv(r->connection, header, sizeof header, MSG_WAITALL) != sizeof header)
      return;
    if (header[0] == XH_WIRE_ACK)
      return;
    char rest[64];
    uint32_t size = xh_wire_size(header);
    if (size > sizeof rest || recv(r->connection, rest, size, MSG_WAITALL) != (int)size)
      return;
  }
}
