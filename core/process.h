/* process.h - start a program and report its end once.
 *
 * posix_spawn (vfork semantics), a pidfd and waitid(P_PIDFD): no signal handler and no
 * wait for "any child", so that it is safe inside somebody else's process. */
#ifndef XH_PROCESS_H
#define XH_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

#include <uv.h>

typedef struct xh_process xh_process;

/* Called once, on the loop thread. p stays valid until it is released. */
typedef void (*xh_exit_fn)(xh_process *p, int status, int signal, void *user);

typedef struct xh_spawn_fd {
  int source; /* borrowed, stays open here */
  int target; /* the number the program sees */
} xh_spawn_fd;

typedef struct xh_spawn_options {
  size_t struct_size;
  const char *file; /* path of the program; no search */
  char *const *argv;
  char *const *envp;
  const xh_spawn_fd *fds; /* all it inherits; 0-2 are /dev/null unless named */
  size_t fd_count;
  xh_exit_fn on_exit;
  void *user;
} xh_spawn_options;

/* Start the program in a session of its own, with an empty signal mask and default
 * dispositions. Returns 0 and sets *out, or a negative uv error (also when the
 * program cannot be executed) and leaves *out alone. The caller owns *out and must
 * release it. The memory behind options is needed during the call only. */
int xh_process_spawn(xh_process **out, uv_loop_t *loop,
                     const xh_spawn_options *options);

/* Its pid: for people and messages, never for signals. */
pid_t xh_process_pid(const xh_process *p);

/* Send a signal by pidfd, so that it never meets another process of that pid.
 * UV_ESRCH once the program has ended. */
int xh_process_signal(xh_process *p, int signal);

/* Give up ownership: on_exit is not called any more. The program is not ended; it
 * is reaped when it ends while the loop still runs. Safe on NULL. */
void xh_process_release(xh_process *p);

#endif
