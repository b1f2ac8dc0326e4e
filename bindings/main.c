/* main.c - the `exhost` command: signals on the main thread, the host on its own.
 *
 * The library has no signal code; a command needs some. Signals are blocked in all
 * threads and taken by sigwaitinfo() here, so that none interrupts the loop. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "host.h"

typedef struct command {
  xh_host host;
  int argc;
  char **argv;
  pthread_t main_thread;
  pthread_barrier_t opened;
  int error, exit_code;
} command;

/* Wakes the main thread when the host has ended. Nobody sends it otherwise. */
static int done_signal(void) {
  return SIGRTMAX;
}

/* An embedder has a terminal of its own, if any. */
static const luaL_Reg OWN[] = {{"exhost.edit", luaopen_exhost_edit}, {NULL, NULL}};

static void *run_host(void *arg) {
  command *c = arg;
  xh_paths paths;
  c->error = xh_paths_find(&paths);
  if (c->error == 0)
    c->error = xh_host_open(&c->host, &paths, OWN);
  pthread_barrier_wait(&c->opened);
  if (c->error == 0) {
    c->exit_code = xh_host_run(&c->host, "exhost.cli.main", c->argc, c->argv);
    pthread_kill(c->main_thread, done_signal());
  }
  return NULL;
}

/* The first signals go to the script; one that is deaf to them can still be ended. */
static void serve_signals(command *c, const sigset_t *set) {
  enum { DEAF_AFTER = 5 };
  for (;;) {
    siginfo_t info;
    int signal = sigwaitinfo(set, &info);
    if (signal == done_signal())
      return;
    if (signal <= 0)
      continue;
    if (xh_host_signal(&c->host, signal) > DEAF_AFTER)
      _exit(128 + signal);
  }
}

/* Whoever starts us with a standard stream closed must not have our own files take its
 * number. */
static int hold_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 &&
        open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
      return -1;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (hold_standard_streams() != 0)
    return 125;
  command *c = calloc(1, sizeof *c);
  pthread_t thread;
  sigset_t all, served;
  if (c == NULL)
    return 125;
  setenv("UV_THREADPOOL_SIZE", "2", 0); /* a sync or a look-up now and then */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL); /* an ignored one is inherited and would eat statuses */
  sigfillset(&all);
  sigdelset(&all, SIGTSTP); /* Ctrl-Z and Ctrl-\ do what they do everywhere */
  sigdelset(&all, SIGQUIT);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  sigemptyset(&served);
  sigaddset(&served, SIGINT);
  sigaddset(&served, SIGTERM);
  sigaddset(&served, SIGHUP);
  sigaddset(&served, done_signal());
  c->argc = argc;
  c->argv = argv;
  c->main_thread = pthread_self();
  pthread_barrier_init(&c->opened, NULL, 2);
  if (pthread_create(&thread, NULL, run_host, c) != 0) {
    fprintf(stderr, "exhost: cannot start a thread\n");
    return 125;
  }
  pthread_barrier_wait(&c->opened);
  if (c->error == 0)
    serve_signals(c, &served);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&c->opened);
  if (c->error < 0)
    fprintf(stderr, "exhost: cannot start: %s\n", xh_error_text(c->error));
  int exit_code = c->error < 0 ? 125 : c->exit_code;
  if (c->error == 0 && xh_host_close(&c->host) != 0)
    fprintf(stderr, "exhost: internal error: something was left open on the loop\n");
  free(c);
  return exit_code;
}
