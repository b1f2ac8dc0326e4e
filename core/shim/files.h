/* files.h - open the execution's files without being led astray. */
#ifndef XH_FILES_H
#define XH_FILES_H

#include <stddef.h>
#include <sys/types.h>

/* Open or make a file to append to. Jobs may write in dir, so anything but a
 * regular file with one name is refused with -ELOOP: a symbolic or hard link
 * must not make us write elsewhere, a FIFO must not make us wait. Returns a
 * descriptor or a negative errno. */
int xh_file_append(int dir, const char *name, mode_t mode);

/* Open the control FIFO, and make it if the host did not. Never at its end: it
 * is open for writing, too. A descriptor or a negative errno. */
int xh_file_control(int dir);

/* Write all of it. 0 or a negative errno. */
int xh_file_write(int fd, const char *data, size_t size);

#endif
