/* process.c - posix_spawn, pidfd, waitid: see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { MAX_FDS = 16, FIRST_SAFE_FD = 64 };

struct xh_process {
  uv_poll_t exited; /* on the pidfd: readable once the program has ended */
  int pidfd;
  pid_t pid;
  bool released, ended;
  xh_exit_fn on_exit;
  void *user;
  xh_lingering lingering; /* linked into the loop from release to reaping */
};

static void on_closed(uv_handle_t *handle) {
  xh_process *p = handle->data;
  close(p->pidfd);
  free(p);
}

static void end(xh_process *p) {
  uv_close((uv_handle_t *)&p->exited, on_closed);
}

/* The loop is about to go while the program runs on: it will be init's to reap. */
static void abandon(xh_lingering *entry) {
  end((xh_process *)((char *)entry - offsetof(xh_process, lingering)));
}

static void on_readable(uv_poll_t *poll, int error, int events) {
  (void)error;
  (void)events;
  xh_process *p = poll->data;
  siginfo_t info = {0};
  int rc = waitid((idtype_t)P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG);
  if (rc == 0 && info.si_pid == 0)
    return;
  p->ended = true;
  uv_poll_stop(&p->exited);
  if (p->released) {
    xh_loop_forget(p->exited.loop, &p->lingering);
    end(p);
    return;
  }
  /* ECHILD: the embedder ignores SIGCHLD or waits for every child; the status went
   * to it. Told as -1, so that nobody takes it for success. */
  bool signaled = rc == 0 && info.si_code != CLD_EXITED;
  int status = rc != 0 ? -1 : signaled ? 0 : info.si_status;
  p->on_exit(p, status, signaled ? info.si_status : 0, p->user);
}

/* Descriptors go to their targets by way of high numbers, so that a target which is
 * also somebody's source is not overwritten before its turn. */
static int lift(const xh_spawn_options *o, int lifted[MAX_FDS]) {
  for (size_t i = 0; i < o->fd_count; i++) {
    lifted[i] = fcntl(o->fds[i].source, F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
    if (lifted[i] < 0) {
      int err = -errno;
      while (i > 0)
        close(lifted[--i]);
      return err;
    }
  }
  return 0;
}

/* 0 to 2 are /dev/null unless named, and what is not named is closed: somebody else
 * in this process may have opened it without O_CLOEXEC. */
static int add_actions(posix_spawn_file_actions_t *actions, const xh_spawn_options *o,
                       const int lifted[MAX_FDS]) {
  int err = 0, end = 3;
  bool named[FIRST_SAFE_FD] = {false};
  for (size_t i = 0; i < o->fd_count && err == 0; i++) {
    int target = o->fds[i].target;
    if (target < 0 || target >= FIRST_SAFE_FD)
      return UV_EINVAL;
    err = posix_spawn_file_actions_adddup2(actions, lifted[i], target);
    named[target] = true;
    end = target >= end ? target + 1 : end;
  }
  for (int fd = 0; fd < end && err == 0; fd++)
    if (!named[fd])
      err = fd < 3
              ? posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0)
              : posix_spawn_file_actions_addclose(actions, fd);
  if (err == 0)
    err = posix_spawn_file_actions_addclosefrom_np(actions, end);
  return -err;
}

static int spawn(pid_t *pid, const xh_spawn_options *o, const int lifted[MAX_FDS]) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  int err = posix_spawn_file_actions_init(&actions);
  if (err != 0)
    return -err;
  err = add_actions(&actions, o, lifted);
  if (err < 0)
    goto free_actions;
  err = -posix_spawnattr_init(&attributes);
  if (err < 0)
    goto free_actions;
  sigemptyset(&none);
  /* By bytes: sigfillset leaves out the two signals that glibc keeps for threads, and
   * those would then be ignored in the program. */
  memset(&all, 0xff, sizeof all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(
    &attributes,
    (short)(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  err = -posix_spawn(pid, o->file, &actions, &attributes, o->argv, o->envp);
  posix_spawnattr_destroy(&attributes);
free_actions:
  posix_spawn_file_actions_destroy(&actions);
  return err;
}

/* The program runs but cannot be watched: it must not stay behind. */
static void undo_spawn(pid_t pid) {
  kill(pid, SIGKILL);
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED);
}

int xh_process_spawn(xh_process **out, uv_loop_t *loop, const xh_spawn_options *o) {
  if (o->struct_size != sizeof *o || o->fd_count > MAX_FDS)
    return UV_EINVAL;
  int lifted[MAX_FDS];
  xh_process *p = calloc(1, sizeof *p);
  if (p == NULL)
    return UV_ENOMEM;
  int err = lift(o, lifted);
  if (err == 0) {
    err = spawn(&p->pid, o, lifted);
    for (size_t i = 0; i < o->fd_count; i++)
      close(lifted[i]);
  }
  if (err < 0)
    goto fail;
  p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
  if (p->pidfd < 0) {
    err = -errno;
    goto fail_running;
  }
  fcntl(p->pidfd, F_SETFD, FD_CLOEXEC);
  err = uv_poll_init(loop, &p->exited, p->pidfd);
  if (err < 0) {
    close(p->pidfd);
    goto fail_running;
  }
  p->exited.data = p;
  p->on_exit = o->on_exit;
  p->user = o->user;
  uv_poll_start(&p->exited, UV_READABLE, on_readable);
  *out = p;
  return 0;
fail_running:
  undo_spawn(p->pid);
fail:
  free(p);
  return err;
}

pid_t xh_process_pid(const xh_process *p) {
  return p->pid;
}

int xh_process_signal(xh_process *p, int signal) {
  if (p->ended)
    return UV_ESRCH;
  return syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

void xh_process_release(xh_process *p) {
  if (p == NULL || p->released)
    return;
  p->released = true;
  if (p->ended) {
    end(p);
    return;
  }
  /* Still running: on_readable() closes the handle once the program is reaped.
   * Closing it now would leave a zombie. It no longer keeps the loop alive. */
  uv_unref((uv_handle_t *)&p->exited);
  xh_loop_linger(p->exited.loop, &p->lingering, abandon);
}
