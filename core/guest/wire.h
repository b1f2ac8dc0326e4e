/* wire.h - what a guest's init and the host's relay say to each other. */
#ifndef XH_WIRE_H
#define XH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame: its type, three zero bytes, the size of what follows (big endian). */
#define XH_WIRE_HEADER 8
#define XH_WIRE_MAX 65536

/* Guest to host. A record is text: NUMBER HELLO|EXEC|NOEXEC|START|END key=value... */
#define XH_WIRE_RECORD 'R'
#define XH_WIRE_STDOUT 'O'
#define XH_WIRE_STDERR 'E'
/* Host to guest. */
#define XH_WIRE_SIGNAL 'S' /* decimal: to the main process */
#define XH_WIRE_STOP 'T'   /* decimal: to its process group */
#define XH_WIRE_ACK 'A'    /* the END has arrived */
#define XH_WIRE_EXEC 'X'   /* a nonce: call on one more connection and say it there */
#define XH_WIRE_WORDS 'W'  /* there: the words of the command, each ended by a NUL */

/* The copy of a record on the serial console, where the kernel and the workload
 * write as well: "\n@@EXHOST TOKEN LENGTH CRC RECORD\n", the crc in hex. */
#define XH_WIRE_MARK "\n@@EXHOST "
#define XH_WIRE_RECORD_MAX 400
#define XH_WIRE_TOKEN_MAX 64

#define XH_WIRE_PORT 1024

#define XH_WIRE_NONCE 32 /* hex digits */
#define XH_WIRE_WORDS_MAX (4u << 20)

/* Write all of it; false when the other end is gone. */
bool xh_wire_write(int fd, const void *data, size_t size);

/* One frame; false as above. */
bool xh_wire_send(int fd, char type, const void *data, size_t size);

/* The size that a header tells of. */
uint32_t xh_wire_size(const unsigned char *header);

/* CRC-32 as in gzip. */
uint32_t xh_wire_crc(const char *data, size_t size);

#endif
