/* oom.c - whether the kernel kills in a container's control group for want of memory.
 */
#include "oom.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "text.h"

#define ID_SIZE 64
#define VERSION_1 "/sys/fs/cgroup/memory/"
#define VERSION_2 "/sys/fs/cgroup/"

/* Where engines have the groups of their containers, by whatever manages them. Each
 * name holds the whole id, so that it is nobody else's. */
static const char *const PLACES[][2] = {
  {"docker/", ""},
  {"system.slice/docker-", ".scope"},
  {"libpod_parent/libpod-", ""},
  {"machine.slice/libpod-", ".scope"},
};

static int find(const char *root, const char *container) {
  char path[160];
  int fd = -1;
  for (size_t i = 0; fd < 0 && i < sizeof PLACES / sizeof *PLACES; i++) {
    xh_text out = {path, path + sizeof path - 1};
    xh_text_add(&out, root);
    xh_text_add(&out, PLACES[i][0]);
    xh_text_add(&out, container);
    xh_text_add(&out, PLACES[i][1]);
    *out.at = '\0';
    fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  return fd;
}

/* An event descriptor for what happens to the file. */
static bool subscribe(int group, int event, int control) {
  char line[32];
  xh_text out = {line, line + sizeof line};
  xh_text_number(&out, (uint64_t)event);
  xh_text_add(&out, " ");
  xh_text_number(&out, (uint64_t)control);
  ssize_t size = out.at - line;
  int fd = openat(group, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
  bool done = fd >= 0 && write(fd, line, (size_t)size) == size;
  if (fd >= 0)
    close(fd);
  return done;
}

/* Whether the file counts any kills: memory.oom_control's or memory.events' line. */
static int counted(int file) {
  static const char KEY[] = "\noom_kill ";
  char text[512];
  ssize_t got = pread(file, text, sizeof text - 1, 0);
  if (got <= 0)
    return -1;
  text[got] = '\0';
  const char *at = strstr(text, KEY);
  return at != NULL && at[sizeof KEY - 1] != '0';
}

static void listen_1(xh_oom *oom, int group) {
  oom->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  oom->control = openat(group, "memory.oom_control", O_RDONLY | O_CLOEXEC);
  oom->events = POLLIN;
  if (oom->fd < 0 || oom->control < 0 || !subscribe(group, oom->fd, oom->control))
    xh_oom_close(oom);
  else
    oom->seen = counted(oom->control) > 0;
}

static void listen_2(xh_oom *oom, int group) {
  oom->fd = openat(group, "memory.events", O_RDONLY | O_CLOEXEC);
  oom->events = POLLPRI;
  oom->seen = counted(oom->fd) > 0; /* and only what differs from this is news */
}

void xh_oom_open(xh_oom *oom, const char *container) {
  if (strlen(container) != ID_SIZE)
    return; /* a name, which may be anybody's */
  int group = find(VERSION_1, container);
  bool first = group >= 0;
  if (!first)
    group = find(VERSION_2, container);
  if (group < 0)
    return;
  (first ? listen_1 : listen_2)(oom, group);
  close(group);
}

/* The news comes before the kill, which may not be counted yet. The end of the group
 * is news too, once, and then its files cannot be read any more. */
static void look_1(xh_oom *oom) {
  uint64_t told;
  if (read(oom->fd, &told, sizeof told) != (ssize_t)sizeof told)
    return;
  bool there = counted(oom->control) >= 0;
  oom->seen |= there || told > 1;
  if (!there)
    xh_oom_close(oom);
}

static void look_2(xh_oom *oom) {
  int kills = counted(oom->fd);
  oom->seen |= kills > 0;
  if (kills < 0)
    xh_oom_close(oom);
}

void xh_oom_look(xh_oom *oom) {
  if (oom->control >= 0)
    look_1(oom);
  else if (oom->fd >= 0)
    look_2(oom);
}

void xh_oom_close(xh_oom *oom) {
  if (oom->fd >= 0)
    close(oom->fd);
  if (oom->control >= 0)
    close(oom->control);
  oom->fd = oom->control = -1;
}
