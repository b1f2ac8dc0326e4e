/* execs.c - more processes in a running execution, on behalf of hosts. */
#include "execs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"
#include "text.h"

#define ARGV_MAX (4u << 20)

/* The words of argv, in one mapping: pointers, then text. */
typedef struct words {
  char **list;
  size_t size;
} words;

static void say(int fd, const char *word, uint64_t number, const char *step) {
  char line[128];
  xh_text text = {line, line + sizeof line};
  xh_text_add(&text, word);
  xh_text_number(&text, number);
  if (step != NULL) {
    xh_text_add(&text, " ");
    xh_text_add(&text, step);
  }
  xh_text_add(&text, "\n");
  ssize_t done = write(fd, line, (size_t)(text.at - line));
  (void)done;
}

/* A FIFO that its host reads already; else -ENXIO. */
static int open_fifo(int dir, const char *name) {
  struct stat st;
  int fd = openat(dir, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
    return fd;
  close(fd);
  return -EINVAL;
}

static int open_output(const xh_spec *spec, int dir, const char *name) {
  int fd = open_fifo(dir, name);
  if (fd < 0)
    return fd;
  /* The process's end blocks, as a pipe's does, and may be opened again by name. */
  int err = fcntl(fd, F_SETFL, O_WRONLY) != 0 ? -errno : 0;
  if (err == 0 && spec->has_uid && fchown(fd, spec->uid, (gid_t)-1) != 0)
    err = -errno;
  if (err == 0)
    return fd;
  close(fd);
  return err;
}

static int map_words(words *w, int fd, size_t size) {
  /* At worst every word is empty: a pointer each, and the NULL after them. */
  size_t text = (size + 1) * sizeof(char *);
  w->size = text + size + 1;
  void *at =
    mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return -errno;
  w->list = at;
  char *from = (char *)at + text;
  ssize_t got = read(fd, from, size);
  if (got <= 0 || from[got - 1] != '\0')
    return -EINVAL;
  size_t count = 0;
  for (char *word = from; word < from + got; word += strlen(word) + 1)
    w->list[count++] = word;
  return w->list[0][0] != '\0' ? 0 : -EINVAL;
}

static int read_words(words *w, int dir) {
  struct stat st;
  int fd = openat(dir, "argv", O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int err = fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ? -EINVAL
            : st.st_size > ARGV_MAX                                        ? -E2BIG
                                                                           : 0;
  if (err == 0)
    err = map_words(w, fd, (size_t)st.st_size);
  close(fd);
  return err;
}

static int launch(xh_shim *s, xh_exec *e, int dir, const char **step) {
  words w = {NULL, 0};
  *step = "argv";
  int err = read_words(&w, dir);
  int out = err < 0 ? err : open_output(&s->spec, dir, "stdout");
  int errors = out < 0 ? out : open_output(&s->spec, dir, "stderr");
  if (err == 0 && errors < 0) {
    *step = "output";
    err = errors;
  }
  if (err == 0) {
    *step = "fork";
    xh_launch how = {.spec = &s->spec,
                     .cgroups = &s->cgroups,
                     .argv = w.list,
                     .output = {out, errors}};
    err = xh_child_fork(&e->child, &how);
  }
  if (err == 0)
    xh_child_release(&e->child); /* it parks for no longer than this byte needs */
  if (out >= 0)
    close(out);
  if (errors >= 0)
    close(errors);
  if (w.list != NULL)
    munmap(w.list, w.size);
  return err;
}

static xh_exec *free_slot(xh_execs *execs) {
  for (size_t i = 0; i < XH_EXECS_MAX; i++) {
    if (execs->slots[i].child.pid != 0)
      continue;
    if (i >= execs->count)
      execs->count = i + 1;
    return &execs->slots[i];
  }
  return NULL;
}

static bool is_folder_name(const char *name) {
  return strncmp(name, "exec-", 5) == 0 && name[5] != '\0' &&
         name[5 + strspn(name + 5, "0123456789abcdef")] == '\0';
}

bool xh_execs_start(xh_shim *s, const char *folder) {
  if (!is_folder_name(folder))
    return false;
  int dir = openat(s->dir, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int status = dir < 0 ? -1 : open_fifo(dir, "status");
  if (status < 0) {
    if (dir >= 0)
      close(dir);
    return false;
  }
  const char *step = "phase";
  int err = s->phase == XH_RUNNING && s->executed && !s->stop.active ? 0 : -ESRCH;
  xh_exec *e = err < 0 ? NULL : free_slot(&s->execs);
  if (err == 0 && e == NULL) {
    step = "too_many";
    err = -EAGAIN;
  }
  if (err == 0)
    err = launch(s, e, dir, &step);
  close(dir);
  if (err == 0) {
    e->status = status;
    e->failed = false;
    return true;
  }
  say(status, "error ", (uint64_t)-err, step);
  close(status);
  return true;
}

void xh_execs_watch(const xh_execs *execs, struct pollfd *fds) {
  for (size_t i = 0; i < execs->count; i++) {
    const xh_exec *e = &execs->slots[i];
    bool used = e->child.pid != 0;
    fds[2 * i] = (struct pollfd){.fd = used ? e->child.status : -1, .events = POLLIN};
    fds[2 * i + 1] = (struct pollfd){.fd = used ? e->status : -1}; /* POLLERR alone */
  }
}

static void report(xh_exec *e) {
  xh_report report;
  int got;
  while ((got = xh_child_report(&e->child, &report)) >= 0) {
    if (got == 0 && !e->failed)
      say(e->status, "started ", (uint64_t)e->child.pid, NULL);
    if (got == 0)
      return;
    if (report.step == XH_STEP_PARKED)
      continue;
    e->failed = true;
    say(e->status, "error ", (uint64_t)report.error, xh_child_step(report.step));
  }
}

static void end(xh_exec *e) {
  int status;
  report(e);
  waitpid(e->child.pid, &status, 0);
  if (!e->failed && WIFEXITED(status))
    say(e->status, "exit ", (uint64_t)WEXITSTATUS(status), NULL);
  else if (!e->failed)
    say(e->status, "signal ", (uint64_t)WTERMSIG(status), NULL);
  close(e->status);
  if (e->child.status >= 0)
    close(e->child.status);
  e->child = (xh_child){.status = -1, .park = -1};
}

void xh_execs_dispatch(xh_shim *s, const struct pollfd *fds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    xh_exec *e = &s->execs.slots[i];
    if (e->child.pid == 0)
      continue;
    if (fds[2 * i].revents != 0)
      report(e);
    if (fds[2 * i + 1].revents == 0)
      continue;
    /* Nobody wants to know any more. It leads a group of its own. */
    if (kill(-e->child.pid, SIGKILL) != 0)
      kill(e->child.pid, SIGKILL);
    e->failed = true;
    close(e->status);
    e->status = -1;
  }
}

void xh_execs_reap(xh_shim *s) {
  for (size_t i = 0; i < s->execs.count; i++) {
    xh_exec *e = &s->execs.slots[i];
    siginfo_t info = {0};
    if (e->child.pid != 0 &&
        waitid(P_PID, (id_t)e->child.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == e->child.pid)
      end(e);
  }
  while (s->execs.count > 0 && s->execs.slots[s->execs.count - 1].child.pid == 0)
    s->execs.count--;
}

bool xh_execs_own(const xh_execs *execs, int pid) {
  for (size_t i = 0; i < execs->count; i++)
    if (execs->slots[i].child.pid == pid)
      return true;
  return false;
}
