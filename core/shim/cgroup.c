/* cgroup.c - the execution's control groups, made by the host. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define FILE_FLAGS (O_CLOEXEC | O_NOFOLLOW)

static int write_file(int dir, const char *file, const char *value) {
  int fd = openat(dir, file, O_WRONLY | FILE_FLAGS);
  if (fd < 0)
    return -errno;
  ssize_t done = write(fd, value, strlen(value));
  int err = done < 0 ? -errno : 0;
  close(fd);
  return err;
}

int xh_cgroup_enter(const xh_cgroups *groups) {
  /* A write of 0 to "tasks" moves one thread and needs no grace period of the
   * kernel's thread group lock: 12 us, where cgroup.procs takes up to 20 ms. */
  const char *file = groups->unified ? "cgroup.procs" : "tasks";
  for (size_t i = 0; i < groups->count; i++) {
    int err = write_file(groups->dirs[i], file, "0");
    if (err < 0)
      return err;
  }
  return 0;
}

/* To the file of that name, wherever it is. */
static bool write_anywhere(const xh_cgroups *groups, const char *file,
                           const char *value) {
  for (size_t i = 0; i < groups->count; i++) {
    int err = write_file(groups->dirs[i], file, value);
    if (err != -ENOENT)
      return err == 0;
  }
  return false;
}

bool xh_cgroup_freeze(const xh_cgroups *groups, bool frozen) {
  if (groups->unified)
    return write_anywhere(groups, "cgroup.freeze", frozen ? "1" : "0");
  return write_anywhere(groups, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

void xh_cgroup_kill(const xh_cgroups *groups) {
  if (groups->unified)
    write_anywhere(groups, "cgroup.kill", "1");
}

unsigned xh_each_pid(int fd, xh_pid_fn fn, void *user) {
  char buffer[1024];
  unsigned sum = 0;
  int pid = 0;
  for (;;) {
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got <= 0)
      return sum;
    for (ssize_t i = 0; i < got; i++) {
      if (buffer[i] >= '0' && buffer[i] <= '9') {
        pid = pid * 10 + (buffer[i] - '0');
      } else if (pid > 0) { /* 0: a process that our namespace cannot see */
        sum += fn(pid, user);
        pid = 0;
      }
    }
  }
}

unsigned xh_cgroup_each(const xh_cgroups *groups, xh_pid_fn fn, void *user) {
  unsigned sum = 0;
  for (size_t i = 0; i < groups->count; i++) {
    int fd = openat(groups->dirs[i], "cgroup.procs", O_RDONLY | FILE_FLAGS);
    if (fd < 0)
      continue;
    sum += xh_each_pid(fd, fn, user);
    close(fd);
  }
  return sum;
}

/* The number at the start of a file, or after "key " at the start of a line. */
static bool read_number(const xh_cgroups *groups, const char *file, const char *key,
                        uint64_t *out) {
  char text[4096] = "\n"; /* so that every line has a newline before it */
  ssize_t got = -1;
  for (size_t i = 0; i < groups->count && got < 0; i++) {
    int fd = openat(groups->dirs[i], file, O_RDONLY | FILE_FLAGS);
    if (fd < 0)
      continue;
    got = read(fd, text + 1, sizeof text - 2);
    close(fd);
  }
  if (got <= 0)
    return false;
  text[1 + got] = '\0';
  char *at = strstr(text, key);
  if (at == NULL)
    return false;
  at += strlen(key);
  at[strcspn(at, "\n")] = '\0';
  return xh_text_parse(at, 10, out);
}

static unsigned count_one(int pid, void *user) {
  (void)pid;
  (void)user;
  return 1;
}

/* All that is in here will be killed at the end, so what is in here before the
 * job, as in a mistaken "/sys/fs/cgroup", means that it is not ours. */
static bool is_populated(const xh_cgroups *groups) {
  uint64_t populated = 0;
  if (groups->unified) /* below, too, as cgroup.kill goes there */
    read_number(groups, "cgroup.events", "\npopulated ", &populated);
  return populated > 0 || xh_cgroup_each(groups, count_one, NULL) > 0;
}

int xh_cgroup_open(xh_cgroups *groups, const xh_spec *spec) {
  size_t used = 0;
  groups->count = 0;
  groups->unified = spec->cgroup_version == 2;
  if (spec->cgroup_count > XH_CGROUP_MAX)
    return -E2BIG;
  for (size_t i = 0; i < spec->cgroup_count; i++) {
    size_t size = strlen(spec->cgroups[i]) + 1;
    if (size > sizeof groups->packed - used)
      return -ENAMETOOLONG;
    int fd = open(spec->cgroups[i], O_PATH | O_DIRECTORY | FILE_FLAGS);
    if (fd < 0)
      return -errno;
    groups->paths[i] = memcpy(groups->packed + used, spec->cgroups[i], size);
    groups->dirs[i] = fd;
    groups->count++;
    used += size;
  }
  return is_populated(groups) ? -EBUSY : 0;
}

void xh_cgroup_evidence(const xh_cgroups *groups, xh_text *out) {
  static const struct {
    const char *name, *file, *key;
    uint64_t factor;
  } FACTS[2][5] = {
    {
      {"oom_kills", "memory.oom_control", "\noom_kill ", 1},
      {"memory_peak", "memory.max_usage_in_bytes", "\n", 1},
      {"memory_failcnt", "memory.failcnt", "\n", 1},
      {"pids_events", "pids.events", "\nmax ", 1},
      {"cpu_ns", "cpuacct.usage", "\n", 1},
    },
    {
      {"oom_kills", "memory.events", "\noom_kill ", 1},
      {"memory_peak", "memory.peak", "\n", 1},
      {"memory_failcnt", "memory.events", "\nmax ", 1},
      {"pids_events", "pids.events", "\nmax ", 1},
      {"cpu_ns", "cpu.stat", "\nusage_usec ", 1000},
    },
  };
  for (size_t i = 0; i < 5; i++) {
    uint64_t value;
    int version = groups->unified ? 1 : 0;
    if (read_number(groups, FACTS[version][i].file, FACTS[version][i].key, &value))
      xh_text_count(out, FACTS[version][i].name, value * FACTS[version][i].factor);
  }
}

void xh_cgroup_remove(const xh_cgroups *groups) {
  for (size_t i = 0; i < groups->count; i++) {
    /* A process that was just reaped may still be counted: EBUSY for a moment. */
    for (int tries = 0; tries < 20; tries++) {
      if (rmdir(groups->paths[i]) == 0 || errno != EBUSY)
        break;
      poll(NULL, 0, tries);
    }
  }
}
