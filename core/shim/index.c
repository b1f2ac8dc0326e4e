/* index.c - when which bytes of which stream came (log.idx). */
#include "index.h"

#include <endian.h>
#include <errno.h>
#include <unistd.h>

#include "../logformat.h"
#include "clock.h"
#include "files.h"

#define INTERVAL (10 * XH_MS)
#define ENOUGH 4096
#define RETRY XH_SECOND /* after a failed write: the disk is probably full */

int xh_index_open(xh_index *index, int dir) {
  *index = (xh_index){.fd = -1};
  int fd = xh_file_append(dir, XH_FILE_INDEX, 0600);
  if (fd < 0)
    return fd;
  index->fd = fd;
  return 0;
}

/* A torn record would shift all that follow it, so what was written of one is
 * taken back. Nobody else appends to this file. */
static int append(const xh_index *index, const xh_log_record *record) {
  ssize_t done = write(index->fd, record, sizeof *record);
  if (done == (ssize_t)sizeof *record)
    return 0;
  if (done > 0) {
    off_t end = lseek(index->fd, 0, SEEK_CUR);
    if (end >= done && ftruncate(index->fd, end - done) != 0)
      return -errno;
  }
  return -EIO;
}

void xh_index_flush(xh_index *index, int stream, uint64_t now) {
  xh_pending *p = &index->pending[stream];
  if (p->length == 0)
    return;
  xh_log_record record = {
    .time = htole64(p->time),
    .offset = htole64(p->offset | (stream == 1 ? XH_LOG_STDERR : 0)),
    .length = htole64(p->length),
  };
  if (append(index, &record) < 0) {
    p->due = now + RETRY; /* it stays, and grows with what comes */
    return;
  }
  p->length = 0;
  p->written = now;
}

void xh_index_add(xh_index *index, int stream, uint64_t offset, uint64_t length,
                  uint64_t now) {
  xh_pending *p = &index->pending[stream];
  xh_index_flush(index, 1 - stream, now); /* keeps the order between the streams */
  if (p->length > 0 && p->offset + p->length != offset) {
    xh_index_flush(index, stream, now);
    p->length = 0; /* lost if that failed: a record is contiguous or it lies */
  }
  if (p->length == 0) {
    p->time = xh_clock(CLOCK_REALTIME);
    p->offset = offset;
    p->due = p->written + INTERVAL;
  }
  p->length += length;
  if (p->length >= ENOUGH || now >= p->due)
    xh_index_flush(index, stream, now);
}

void xh_index_tick(xh_index *index, uint64_t now) {
  for (int i = 0; i < 2; i++)
    if (index->pending[i].length > 0 && now >= index->pending[i].due)
      xh_index_flush(index, i, now);
}

uint64_t xh_index_next(const xh_index *index) {
  uint64_t next = XH_NEVER;
  for (int i = 0; i < 2; i++)
    if (index->pending[i].length > 0)
      next = xh_clock_first(next, index->pending[i].due);
  return next;
}
