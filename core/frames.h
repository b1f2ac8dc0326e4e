/* frames.h - Docker's multiplexed streams: 8 bytes of head, then that many of payload.
 *
 * Head: stream (1 stdout, 2 stderr; 0 stdin, taken for stdout as the engine does),
 * three zeros, length as 32 bits big-endian (Docker Engine API, ContainerAttach). Libc
 * only: the shim uses it, too. */
#ifndef XH_FRAMES_H
#define XH_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XH_FRAME_HEAD = 8 };

typedef struct xh_frames {
  unsigned char head[XH_FRAME_HEAD];
  size_t have;   /* of the head */
  uint32_t left; /* of the payload */
} xh_frames;

/* A piece of payload: the next bytes of one stream (0 stdout, 1 stderr). */
typedef struct xh_frame_piece {
  int stream;
  const char *data;
  size_t len;
} xh_frame_piece;

/* Take the next piece from *data, which moves forward; the input may be cut anywhere.
 * Returns 1 and *piece, 0 when more input is needed, -1 when this is no such stream. */
int xh_frames_next(xh_frames *f, const char **data, size_t *len, xh_frame_piece *piece);

/* Whether the input so far ends where a frame does. */
bool xh_frames_complete(const xh_frames *f);

#endif
