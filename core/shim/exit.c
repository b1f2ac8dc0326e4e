/* exit.c - the evidence, and the file that says it is over. */
#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../logformat.h"
#include "files.h"

#define TEMPORARY XH_FILE_EXIT ".tmp"
#define FIRST_DELAY_MS 100
#define LAST_DELAY_MS 5000

static uint64_t microseconds(struct timeval t) {
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void add_status(xh_text *out, int status) {
  if (WIFEXITED(status))
    xh_text_count(out, "code", (uint64_t)WEXITSTATUS(status));
  if (WIFSIGNALED(status))
    xh_text_count(out, "signal", (uint64_t)WTERMSIG(status));
  if (WIFSIGNALED(status) && WCOREDUMP(status))
    xh_text_count(out, "core", 1);
}

static void add_process(xh_text *out, const xh_shim *s) {
  struct rusage use;
  int status;
  if (s->main == NULL || wait4(s->main->pid, &status, WNOHANG, &use) != s->main->pid)
    return;
  xh_text_count(out, "pid", (uint64_t)s->main->pid);
  if (s->failure.step == NULL) /* else its status is our own doing */
    add_status(out, status);
  xh_text_count(out, "utime_us", microseconds(use.ru_utime));
  xh_text_count(out, "stime_us", microseconds(use.ru_stime));
  xh_text_count(out, "maxrss_kb", (uint64_t)use.ru_maxrss);
  xh_text_count(out, "inblock", (uint64_t)use.ru_inblock);
  xh_text_count(out, "oublock", (uint64_t)use.ru_oublock);
}

static void add_failure(xh_text *out, const xh_shim *s) {
  if (s->failure.step != NULL) {
    xh_text_count(out, "error", (uint64_t)s->failure.error);
    xh_text_pair(out, "step", s->failure.step);
  } else if (s->script_failed) {
    xh_text_pair(out, "step", "script");
  }
  if (s->script_failed)
    xh_text_pair(out, "script", s->spec.scripts[s->next_script - 1].name);
  if (!s->started)
    xh_text_count(out, "never_ran", 1);
}

static void add_times(xh_text *out, const xh_shim *s) {
  bool seen = s->started && s->started_mono > 0; /* not so if we came later */
  if (seen)
    xh_text_time(out, "started_at", s->started_at);
  xh_text_time(out, "finished_at", s->ended_at);
  if (seen)
    xh_text_count(out, "duration_ns", s->ended_mono - s->started_mono);
}

static void add_stop(xh_text *out, const xh_shim *s) {
  if (!s->stop.noted)
    return;
  if (s->stop.by[0] != '\0')
    xh_text_pair(out, "stop_by", s->stop.by);
  if (s->stop.first_signal > 0)
    xh_text_count(out, "stop_signal", (uint64_t)s->stop.first_signal);
  if (s->stop.killed)
    xh_text_count(out, "stop_killed", 1);
}

/* A disk that cannot sync is no reason to keep the word of the end from hosts that wait
 * for it: then it is as durable as without. */
static int put(int dir, const char *text, size_t size, bool sync) {
  unlinkat(dir, TEMPORARY, 0);
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, TEMPORARY, flags, 0600);
  if (fd < 0)
    return -errno;
  int err = xh_file_write(fd, text, size);
  if (err == 0 && sync)
    fsync(fd);
  if (close(fd) != 0 && err == 0)
    err = -errno;
  if (err == 0 && renameat(dir, TEMPORARY, dir, XH_FILE_EXIT) != 0)
    err = -errno;
  if (err < 0)
    unlinkat(dir, TEMPORARY, 0);
  else if (sync)
    fsync(dir);
  return err;
}

/* In a folder that was removed nobody can ever read it. */
static bool is_removed(int dir) {
  struct stat st;
  return fstat(dir, &st) == 0 && st.st_nlink == 0;
}

/* The exit file is the only word of the end, so a full disk is waited for. */
static void put_at_last(int dir, const char *text, size_t size, bool sync) {
  int delay = FIRST_DELAY_MS;
  while (put(dir, text, size, sync) < 0 && !is_removed(dir)) {
    poll(NULL, 0, delay);
    delay = delay * 2 < LAST_DELAY_MS ? delay * 2 : LAST_DELAY_MS;
  }
}

void xh_exit_write(xh_shim *s) {
  char text[4096];
  xh_text out = {text, text + sizeof text};
  xh_text_count(&out, "format", 1);
  add_process(&out, s);
  add_times(&out, s);
  add_failure(&out, s);
  add_stop(&out, s);
  xh_log_evidence(&s->log, &out);
  if (s->control.bad > 0)
    xh_text_count(&out, "bad_control", s->control.bad);
  s->source->evidence(s, &out);
  put_at_last(s->dir, text, (size_t)(out.at - text), s->spec.sync != 0);
}
