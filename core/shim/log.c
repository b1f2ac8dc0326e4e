/* log.c - from the job's pipes into its log files. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../logformat.h"
#include "clock.h"
#include "files.h"

#define BUFFER_SIZE 131072
#define BUSY_PIPE_SIZE (256 * 1024)
#define BUFFER_WARM XH_SECOND
/* A pipe can hold 1 MiB; more than this means that something writes on. */
#define DRAIN_READS 64

/* Logs in the execution's own folder are as private as that; in a folder of
 * somebody's they are for them to read. */
static mode_t log_mode(int index_dir, int log_dir) {
  struct stat own, logs;
  bool same = fstat(index_dir, &own) == 0 && fstat(log_dir, &logs) == 0 &&
              own.st_dev == logs.st_dev && own.st_ino == logs.st_ino;
  return same ? 0600 : 0644;
}

int xh_log_open(xh_log *log, int index_dir, int log_dir, uint64_t limit) {
  static const char *const NAMES[] = {XH_FILE_STDOUT, XH_FILE_STDERR};
  mode_t mode = log_mode(index_dir, log_dir);
  *log = (xh_log){.limit = limit, .warm_to = XH_NEVER};
  for (int i = 0; i < 2; i++) {
    int fd = xh_file_append(log_dir, NAMES[i], mode);
    if (fd < 0)
      return fd;
    off_t end = lseek(fd, 0, SEEK_END);
    log->streams[i] = (xh_stream){
      .pipe = -1, .writer = -1, .file = fd, .size = end > 0 ? (uint64_t)end : 0};
  }
  log->buffer =
    mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (log->buffer == MAP_FAILED)
    return -errno;
  return xh_index_open(&log->index, index_dir);
}

int xh_log_pipes(xh_log *log, const xh_spec *spec) {
  for (int i = 0; i < 2; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
      return -errno;
    log->streams[i].pipe = ends[0];
    log->streams[i].writer = ends[1];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    /* Or the job could not open its own /dev/stdout. */
    if (spec->has_uid && fchown(ends[1], spec->uid, (gid_t)-1) != 0)
      continue;
  }
  return 0;
}

void xh_log_close_writers(xh_log *log) {
  for (int i = 0; i < 2; i++) {
    if (log->streams[i].writer >= 0)
      close(log->streams[i].writer);
    log->streams[i].writer = -1;
  }
}

/* The most that log_limit lets through. */
static size_t allowed(const xh_log *log, const xh_stream *s, size_t size) {
  if (log->limit == 0)
    return size;
  uint64_t room = s->size < log->limit ? log->limit - s->size : 0;
  return room < size ? (size_t)room : size;
}

void xh_log_keep(xh_log *log, int stream, const char *data, size_t size, uint64_t now) {
  xh_stream *s = &log->streams[stream];
  size_t most = allowed(log, s, size);
  size_t done = 0;
  while (done < most) {
    ssize_t wrote = write(s->file, data + done, most - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0) {
      if (s->drop_errno == 0)
        s->drop_errno = wrote < 0 ? errno : EIO;
      break;
    }
    done += (size_t)wrote;
  }
  s->bytes += size;
  s->dropped += size - done;
  s->drop_limit |= done == most && most < size;
  s->size += done;
  if (done == 0)
    return;
  /* Asked for and not counted, as others may have truncated the file. */
  off_t end = lseek(s->file, 0, SEEK_CUR);
  uint64_t start = end > (off_t)done ? (uint64_t)end - done : 0;
  xh_index_add(&log->index, stream, start, done, now);
}

char *xh_log_buffer(xh_log *log, size_t *size, uint64_t now) {
  log->warm_to = now + BUFFER_WARM;
  *size = BUFFER_SIZE;
  return log->buffer;
}

bool xh_log_read(xh_log *log, int stream, uint64_t now) {
  xh_stream *s = &log->streams[stream];
  if (s->pipe < 0)
    return false;
  ssize_t got = read(s->pipe, log->buffer, BUFFER_SIZE);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  if (got <= 0) {
    close(s->pipe);
    s->pipe = -1;
    return false;
  }
  log->warm_to = now + BUFFER_WARM;
  xh_log_keep(log, stream, log->buffer, (size_t)got, now);
  if (!s->grown && got >= BUFFER_SIZE / 2) {
    /* Only for a busy stream: a user's pipes have a common limit, and past it
     * every new one is tiny. */
    s->grown = true;
    fcntl(s->pipe, F_SETPIPE_SZ, BUSY_PIPE_SIZE);
  }
  return true;
}

bool xh_log_ended(const xh_log *log) {
  return log->streams[0].pipe < 0 && log->streams[1].pipe < 0;
}

void xh_log_finish(xh_log *log) {
  uint64_t now = xh_clock_now();
  for (int i = 0; i < 2; i++) {
    for (int reads = 0; reads < DRAIN_READS && xh_log_read(log, i, now); reads++)
      continue;
  }
  for (int i = 0; i < 2; i++)
    xh_index_flush(&log->index, i, now);
}

void xh_log_tick(xh_log *log, uint64_t now) {
  xh_index_tick(&log->index, now);
  if (now < log->warm_to)
    return;
  madvise(log->buffer, BUFFER_SIZE, MADV_DONTNEED);
  log->warm_to = XH_NEVER;
}

uint64_t xh_log_next(const xh_log *log) {
  return xh_clock_first(xh_index_next(&log->index), log->warm_to);
}

void xh_log_sync(xh_log *log, int log_dir) {
  const int files[] = {log->streams[0].file, log->streams[1].file, log->index.fd,
                       log_dir};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (fsync(files[i]) != 0 && log->sync_errno == 0)
      log->sync_errno = errno;
}

void xh_log_evidence(const xh_log *log, xh_text *out) {
  static const char *const NAMES[][2] = {{"stdout_bytes", "stdout_dropped"},
                                         {"stderr_bytes", "stderr_dropped"}};
  for (int i = 0; i < 2; i++) {
    const xh_stream *s = &log->streams[i];
    xh_text_count(out, NAMES[i][0], s->bytes);
    if (s->dropped > 0)
      xh_text_count(out, NAMES[i][1], s->dropped);
  }
  int error = log->streams[0].drop_errno;
  if (error == 0)
    error = log->streams[1].drop_errno;
  if (error != 0)
    xh_text_count(out, "drop_errno", (uint64_t)error);
  if (log->streams[0].drop_limit || log->streams[1].drop_limit)
    xh_text_count(out, "drop_limit", 1);
  if (log->sync_errno != 0)
    xh_text_count(out, "sync_errno", (uint64_t)log->sync_errno);
}
