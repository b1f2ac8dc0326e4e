/* file.h - files below a directory descriptor.
 *
 * State and logs are only reached by a name directly below a directory that is
 * held open: openat with O_NOFOLLOW|O_CLOEXEC, so that a symlink planted by a job
 * or a folder renamed meanwhile cannot lead us elsewhere (design.md section 13).
 * A `name` is one path component; anything with '/' in it, "." and ".." are
 * UV_EINVAL. All calls are local and short, and made on the loop thread, but for those
 * that sync: a disk may take its time, so they belong in the thread pool. */
#ifndef XH_FILE_H
#define XH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "buffer.h"

/* Open the folder at an absolute path, following symlinks on the way to it and, with
 * follow, at its end. With create, missing folders of the path are made with mode.
 * Returns a descriptor the caller closes. */
int xh_dir_open(const char *path, bool follow, bool create, mode_t mode);

/* Open the folder at an absolute path that has no symlink in it, UV_ELOOP otherwise:
 * a path that was checked leads where it did then. */
int xh_dir_open_plain(const char *path);

/* Open (or with create make, mode 0700) the folder `name` below dir, never through
 * a symlink. Returns a descriptor the caller closes. */
int xh_dir_open_at(int dir, const char *name, bool create);

/* The folder's inode number: tells it from another one that took its name. */
int xh_dir_inode(int dir, ino_t *out);

/* 0 if the folder is owned by this user and closed to others, else UV_EACCES. */
int xh_dir_is_private(int dir);

/* Every name in the folder but "." and "..", NUL-terminated one after the other,
 * appended to out. Returns their number. */
int xh_dir_list(int dir, xh_buffer *out);

/* Wait until the content of some regular files below dir and then dir's own entries are
 * on the disk. names: NUL-terminated, one after the other, len bytes in all; 0 for the
 * folder alone. Stops at the first error. Blocks. */
int xh_dir_sync(int dir, const char *names, size_t len);

/* Remove name below dir, a folder with all that is in it; never follows a symlink
 * and never leaves the file system. A name that is not there is no error. */
int xh_dir_remove_tree(int dir, const char *name);

/* These answer 0 or a negative error. New folders are 0700, FIFOs 0600. unlink takes no
 * folder; rename replaces what `to` names; stat follows no symlink. */
int xh_file_mkdir(int dir, const char *name);
int xh_file_mkfifo(int dir, const char *name);
int xh_file_unlink(int dir, const char *name);
int xh_file_rename(int from_dir, const char *from, int to_dir, const char *to);
/* The same, but UV_EEXIST when `to` is taken: of several callers one wins. */
int xh_file_rename_new(int from_dir, const char *from, int to_dir, const char *to);
int xh_file_stat(int dir, const char *name, struct stat *out);

/* Open a regular file for reading, UV_EINVAL where it is something else. Returns a
 * descriptor the caller closes. */
int xh_file_open(int dir, const char *name);

/* Append the whole file to out; a file above max bytes is UV_EFBIG. Only regular
 * files are read. */
int xh_file_read(int dir, const char *name, size_t max, xh_buffer *out);

/* Read up to len bytes at offset (negative: from the end). Returns the count. */
ssize_t xh_file_read_at(int dir, const char *name, off_t offset, char *into,
                        size_t len);

/* Replace the file's content: written to a temporary name, then renamed, so that a
 * reader sees the old or the new content and nothing between. */
int xh_file_write(int dir, const char *name, const void *data, size_t len);

/* Make the file with this content where nobody looks yet: not atomic. UV_EEXIST when
 * the name is taken. */
int xh_file_create(int dir, const char *name, const void *data, size_t len);

/* Make the file with this content, or UV_EEXIST when the name is taken. The file
 * appears whole or not at all: a temporary file is linked to the name, so of several
 * writers, in any number of processes, exactly one wins. With sync it blocks until the
 * file and its name are on the disk. */
int xh_file_link_once(int dir, const char *name, const void *data, size_t len,
                      bool sync);

/* Append data with one write, if the file then has at most `limit` bytes (0: no
 * limit). Returns 1 if written, 0 if it would pass the limit. Regular files only. */
int xh_file_append(int dir, const char *name, const void *data, size_t len,
                   off_t limit);

/* Take the exclusive flock on the file (made when missing and create) without waiting.
 * Returns a descriptor whose closing releases the lock, UV_EAGAIN when another
 * descriptor has it, UV_ENOENT when the folder was removed meanwhile. flock and not
 * fcntl: two hosts in one process would share the latter. */
int xh_file_lock(int dir, const char *name, bool create);

/* Open a FIFO for writing without waiting. Returns a descriptor the caller closes.
 * UV_ENXIO: nobody reads it. */
int xh_file_fifo_open(int dir, const char *name);

/* Write one line to a FIFO without waiting. UV_ENXIO: nobody reads it. */
int xh_file_fifo_write(int dir, const char *name, const void *data, size_t len);

/* A descriptor of a socket's file, good for its path below /proc/self/fd alone: whoever
 * puts a link into its place later is not followed. UV_ENOTSOCK when it is none. */
int xh_file_socket(int dir, const char *name);

/* An unnamed file in memory that holds data, positioned at its start. Returns a
 * descriptor the caller closes. */
int xh_file_memory(const char *label, const void *data, size_t len);

#endif
