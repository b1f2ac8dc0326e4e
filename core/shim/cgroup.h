/* cgroup.h - the execution's control groups, made by the host. */
#ifndef XH_CGROUP_H
#define XH_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec.h"
#include "text.h"

#define XH_CGROUP_MAX 16

/* Version 1: one directory per hierarchy. Version 2: exactly one. */
typedef struct xh_cgroups {
  size_t count;
  bool unified;
  int dirs[XH_CGROUP_MAX];
  const char *paths[XH_CGROUP_MAX]; /* into packed, for rmdir */
  char packed[4096];
} xh_cgroups;

/* Called for every process found; what it answers is added up. */
typedef unsigned (*xh_pid_fn)(int pid, void *user);

/* Returns 0 or a negative errno: -EBUSY if somebody is in there already. */
int xh_cgroup_open(xh_cgroups *groups, const xh_spec *spec);

/* Move the calling, single-threaded process in. 0 or a negative errno. */
int xh_cgroup_enter(const xh_cgroups *groups);

/* False if there is nothing here that can freeze. */
bool xh_cgroup_freeze(const xh_cgroups *groups, bool frozen);

/* Visit all members. Returns the sum of fn's answers. */
unsigned xh_cgroup_each(const xh_cgroups *groups, xh_pid_fn fn, void *user);

/* SIGKILL for all members at once, where the kernel can do that. */
void xh_cgroup_kill(const xh_cgroups *groups);

/* OOM kills, peak memory, processor time: only what is there is added. */
void xh_cgroup_evidence(const xh_cgroups *groups, xh_text *out);

/* Remove the directories, if they are empty within a moment. */
void xh_cgroup_remove(const xh_cgroups *groups);

/* Call fn for every number in a file of pids, read from fd to its end. */
unsigned xh_each_pid(int fd, xh_pid_fn fn, void *user);

#endif
