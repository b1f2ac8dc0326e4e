/* cgroup.h - control groups: which kind this machine has, and what is done to one.
 *
 * A group is a folder; in version 1 there is one a controller. Which limits go into
 * which file is lua/exhost/cgroup.lua's business. Paths are absolute and below the
 * cgroup root, which is a parameter so that specs can use a made tree. */
#ifndef XH_CGROUP_H
#define XH_CGROUP_H

#include <stddef.h>

#include "buffer.h"

/* 2 when root is a unified hierarchy, 1 when it holds version 1 controllers, 0 when
 * it is neither (or not mounted). */
int xh_cgroup_version(const char *root);

/* Make the folder and missing parents (in version 2 with the controllers in
 * `enable`, such as "+memory +pids", switched on in every parent below root; NULL:
 * none). Returns 0 or a negative error, also when the folder is there but not ours to
 * use; nothing that was there before is changed. */
int xh_cgroup_make(const char *root, const char *path, const char *enable);

/* Write value into a file of the group; one write, as the kernel wants it. */
int xh_cgroup_write(const char *path, const char *file, const char *value);

/* Append the file's content (at most 64 KiB) to out. */
int xh_cgroup_read(const char *path, const char *file, xh_buffer *out);

/* SIGKILL every process of the group. Returns how many were found (0: it is empty)
 * or a negative error. Version 1 has no atomic kill: call again until 0. */
int xh_cgroup_kill(const char *path);

/* Remove an empty group. UV_EBUSY while it has processes; gone already is no error. */
int xh_cgroup_remove(const char *path);

#endif
