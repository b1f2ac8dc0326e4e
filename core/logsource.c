/* logsource.c - which bytes of an execution's logs come next, and which first. */
#include "logsource.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logformat.h"
#include "logline.h"

enum { BLOCK = 32 * 1024 };

static const char *const FILES[2] = {XH_FILE_STDOUT, XH_FILE_STDERR};

static bool wants(const xh_logsource *s, int stream) {
  return (s->streams & (stream == 0 ? XH_STREAM_STDOUT : XH_STREAM_STDERR)) != 0;
}

static int open_log(int dir, const char *name) {
  struct stat st;
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
    close(fd);
    fd = -1;
  }
  return fd;
}

static int64_t size_of(xh_logsource *s, int stream) {
  struct stat st;
  if (s->fd[stream] < 0)
    s->fd[stream] = open_log(s->log_dir, FILES[stream]);
  if (s->fd[stream] < 0 || fstat(s->fd[stream], &st) != 0)
    return 0;
  if (st.st_size < s->pos[stream])
    s->pos[stream] =
      0; /* truncated by somebody: the shim appends from the new end on */
  return st.st_size;
}

/* The part of a record that is wanted and not given yet, with the bytes before it that
 * no record speaks of (the index lost some); false when there is none. */
static bool useful_part(xh_logsource *s, int64_t i, const xh_index_record *rec,
                        xh_log_chunk *out) {
  if (!wants(s, rec->stream) || i < s->valid_from[rec->stream])
    return false;
  int64_t end = rec->offset + rec->length, size = size_of(s, rec->stream);
  if (end > size)
    end = size;
  int64_t pos = s->pos[rec->stream];
  if (pos >= end)
    return false;
  *out = (xh_log_chunk){rec->stream, pos, end - pos, rec->time_ns};
  return true;
}

/* Bytes the index does not know (yet), in the order of the streams. */
static bool unindexed(xh_logsource *s, xh_log_chunk *out) {
  for (int stream = 0; stream < 2; stream++) {
    if (!wants(s, stream))
      continue;
    int64_t size = size_of(s, stream), pos = s->pos[stream];
    if (size > pos) {
      *out = (xh_log_chunk){stream, pos, size - pos, xh_realtime_ns()};
      return true;
    }
  }
  return false;
}

bool xh_logsource_next(xh_logsource *s, xh_log_chunk *out) {
  xh_index_record rec;
  while (xh_logindex_get(&s->index, s->next_record, &rec)) {
    int64_t i = s->next_record++;
    if (s->until_ns > 0 && rec.time_ns > s->until_ns) {
      /* Later bytes of this stream are later still. */
      s->streams &= rec.stream == 0 ? ~XH_STREAM_STDOUT : ~XH_STREAM_STDERR;
      continue;
    }
    if (useful_part(s, i, &rec, out))
      return true;
  }
  if (s->until_ns > 0 && s->until_ns < xh_realtime_ns())
    return false;
  return unindexed(s, out);
}

static void begin_at_end(xh_logsource *s, int64_t count) {
  s->next_record = count;
  for (int stream = 0; stream < 2; stream++)
    s->pos[stream] = size_of(s, stream);
}

static void begin_at_time(xh_logsource *s, int64_t count) {
  xh_index_record rec;
  int64_t i = 0;
  for (; i < count && xh_logindex_get(&s->index, i, &rec); i++) {
    if (rec.time_ns >= s->since_ns)
      break;
    if (i >= s->valid_from[rec.stream])
      s->pos[rec.stream] = rec.offset + rec.length;
  }
  s->next_record = i;
}

/* Walk one chunk backwards counting newlines. True once *left lines were found: *pos is
 * then where the first of them begins. */
static bool count_back(int fd, int64_t start, int64_t *pos, int64_t *left) {
  char block[BLOCK];
  while (*pos > start) {
    int64_t from = *pos - start > BLOCK ? *pos - BLOCK : start;
    ssize_t n = pread(fd, block, (size_t)(*pos - from), from);
    if (n <= 0)
      break;
    for (ssize_t i = n - 1; i >= 0; i--)
      if (block[i] == '\n' && (*left)-- == 0) {
        *pos = from + i + 1;
        return true;
      }
    *pos = from;
  }
  *pos = start;
  return false;
}

/* A newline at the very end ends the last line and begins none. */
static void begin_at_line(xh_logsource *s, int64_t count) {
  int64_t low[2], first[2] = {s->pos[0], s->pos[1]}, left = s->lines;
  int64_t record = count, begin = s->next_record;
  xh_index_record rec;
  low[0] = wants(s, 0) ? size_of(s, 0) : 0;
  low[1] = wants(s, 1) ? size_of(s, 1) : 0;
  int64_t indexed[2] = {first[0], first[1]};
  for (int64_t i = begin; i < count && xh_logindex_get(&s->index, i, &rec); i++)
    if (i >= s->valid_from[rec.stream] && rec.offset + rec.length > indexed[rec.stream])
      indexed[rec.stream] = rec.offset + rec.length;
  bool open_end = false, found = false;
  for (int stream = 1; stream >= 0; stream--) {
    char last;
    if (wants(s, stream) && low[stream] > first[stream] &&
        pread(s->fd[stream], &last, 1, low[stream] - 1) == 1 && last != '\n')
      open_end = true;
  }
  if (open_end && left > 0)
    left--; /* the unfinished line is one of those asked for */
  if (s->lines == 0)
    found = true;
  for (int stream = 1; stream >= 0 && !found; stream--)
    if (wants(s, stream) && low[stream] > indexed[stream])
      found = count_back(s->fd[stream], indexed[stream], &low[stream], &left);
  while (!found && record > begin && xh_logindex_get(&s->index, record - 1, &rec)) {
    record--;
    if (!wants(s, rec.stream) || record < s->valid_from[rec.stream] ||
        rec.offset < first[rec.stream])
      continue;
    found = count_back(s->fd[rec.stream], rec.offset, &low[rec.stream], &left);
  }
  for (int stream = 1; stream >= 0 && !found; stream--) /* what no record speaks of */
    if (low[stream] > first[stream])
      found = count_back(s->fd[stream], first[stream], &low[stream], &left);
  for (int stream = 0; stream < 2; stream++)
    s->pos[stream] = low[stream];
  s->next_record = record;
}

void xh_logsource_begin(xh_logsource *s, int index_dir) {
  s->index.fd = open_log(index_dir, XH_FILE_INDEX);
  int64_t count = xh_logindex_count(&s->index);
  size_of(s, 0);
  size_of(s, 1);
  if (s->no_history) {
    begin_at_end(s, count);
    return;
  }
  xh_logindex_valid_from(&s->index, count, s->valid_from);
  if (s->since_ns > 0)
    begin_at_time(s, count);
  if (s->lines >= 0)
    begin_at_line(s, count);
}

int xh_logsource_open(xh_logsource *s, const xh_logread_options *o) {
  *s = (xh_logsource){
    .log_dir = fcntl(o->log_dir, F_DUPFD_CLOEXEC, 3),
    .fd = {-1, -1},
    .pos = {o->from[0], o->from[1]},
    .index = {.fd = -1},
    .streams = o->streams,
    .no_history = o->no_history,
    .lines = o->lines,
    .since_ns = o->since_ns,
    .until_ns = o->until_ns,
  };
  return s->log_dir < 0 ? -errno : 0;
}

void xh_logsource_close(xh_logsource *s) {
  int fds[] = {s->fd[0], s->fd[1], s->index.fd, s->log_dir};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}
