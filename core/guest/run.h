/* run.h - one process after the other, and what the host wants meanwhile. */
#ifndef XH_GUEST_RUN_H
#define XH_GUEST_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "job.h"
#include "report.h"

typedef struct xh_ending {
  int error;        /* errno, where nothing ran; then step says at what */
  const char *step; /* static text */
  int status;       /* of waitpid */
} xh_ending;

typedef struct xh_runner {
  const xh_job *job;
  xh_reporter *reporter;
  int signals;   /* signalfd */
  pid_t current; /* 0 = none */
  int wanted;    /* a signal that came while nothing ran; 0 = none */
  bool told;     /* to stop, by the connection */
  bool started;  /* something has passed execve, and the host knows */
  bool ended;    /* the current one has */
  bool lone;     /* without its connection it is not wanted any more */
  int status;
  int output[2];  /* read ends; -1 = closed */
  size_t pending; /* bytes of the frame from the host that is being read */
  char frame[256];
} xh_runner;

/* Block what may interrupt pid 1. 0 or a negative errno. */
int xh_run_open(xh_runner *r, const xh_job *job, xh_reporter *reporter);

/* Run a script (NULL: the job) to its end and to the end of its output. */
xh_ending xh_run(xh_runner *r, const char *script);

/* Tell the host how it ended; script: the name of the one that it was, or NULL. */
void xh_run_report(xh_reporter *reporter, const xh_ending *ending, bool oom,
                   const char *script);

#endif
