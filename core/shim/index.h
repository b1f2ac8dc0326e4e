/* index.h - when which bytes of which stream came (log.idx). */
#ifndef XH_INDEX_H
#define XH_INDEX_H

#include <stdint.h>

/* A record that is not written yet, so that small reads can be put together. */
typedef struct xh_pending {
  uint64_t time, offset, length; /* nothing pending while length is 0 */
  uint64_t due;                  /* monotonic: write it now, at the latest */
  uint64_t written;              /* monotonic: when the last one was written */
} xh_pending;

typedef struct xh_index {
  int fd;
  xh_pending pending[2]; /* stdout, stderr */
} xh_index;

/* Open or make log.idx below dir. 0 or a negative errno. */
int xh_index_open(xh_index *index, int dir);

/* Bytes were appended to a stream's file. */
void xh_index_add(xh_index *index, int stream, uint64_t offset, uint64_t length,
                  uint64_t now);

/* Write what is pending: of one stream, or what is due. */
void xh_index_flush(xh_index *index, int stream, uint64_t now);
void xh_index_tick(xh_index *index, uint64_t now);

/* When xh_index_tick has something to do, or XH_NEVER. */
uint64_t xh_index_next(const xh_index *index);

#endif
