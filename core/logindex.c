/* logindex.c - records of log.idx, read a block at a time in either direction. */
#include "logindex.h"

#include <endian.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logformat.h"

int64_t xh_logindex_count(const xh_logindex *x) {
  struct stat st;
  if (x->fd < 0 || fstat(x->fd, &st) != 0)
    return 0;
  return st.st_size / (off_t)sizeof(xh_log_record);
}

static void decode(const xh_log_record *raw, xh_index_record *out) {
  uint64_t place = le64toh(raw->offset);
  out->time_ns = (int64_t)le64toh(raw->time);
  out->stream = (place & XH_LOG_STDERR) != 0;
  out->offset = (int64_t)(place & ~XH_LOG_STDERR);
  out->length = (int64_t)(le64toh(raw->length) & INT64_MAX);
  if (out->length > INT64_MAX - out->offset) /* a damaged file must not overflow us */
    out->length = INT64_MAX - out->offset;
}

static bool load(xh_logindex *x, int64_t i) {
  xh_log_record raw[XH_INDEX_BLOCK];
  int64_t first = i - i % XH_INDEX_BLOCK;
  ssize_t n = pread(x->fd, raw, sizeof raw, first * (off_t)sizeof *raw);
  x->block_first = first;
  x->block_count = n > 0 ? (int)((size_t)n / sizeof *raw) : 0;
  for (int k = 0; k < x->block_count; k++)
    decode(&raw[k], &x->block[k]);
  return i - first < x->block_count;
}

bool xh_logindex_get(xh_logindex *x, int64_t i, xh_index_record *out) {
  if (i < 0 || x->fd < 0)
    return false;
  bool cached = i >= x->block_first && i < x->block_first + x->block_count;
  if (!cached && !load(x, i))
    return false;
  *out = x->block[i - x->block_first];
  return true;
}

void xh_logindex_valid_from(xh_logindex *x, int64_t count, int64_t valid_from[2]) {
  int64_t end[2] = {0, 0};
  xh_index_record r;
  valid_from[0] = valid_from[1] = 0;
  for (int64_t i = 0; i < count && xh_logindex_get(x, i, &r); i++) {
    if (r.offset < end[r.stream])
      valid_from[r.stream] = i;
    end[r.stream] = r.offset + r.length;
  }
}
