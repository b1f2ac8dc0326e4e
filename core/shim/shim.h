/* shim.h - the state of one supervised execution. */
#ifndef XH_SHIM_H
#define XH_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup.h"
#include "child.h"
#include "control.h"
#include "engine.h"
#include "execs.h"
#include "host.h"
#include "log.h"
#include "source.h"
#include "spec.h"
#include "stop.h"

/* Descriptors given by the host. */
#define XH_FD_SPEC 3 /* /dev/null once the spec is read */
#define XH_FD_HOST 4
#define XH_FD_DIR 5
#define XH_FD_LOGS 6
#define XH_FD_FIRST_OWN 7

typedef enum xh_phase {
  XH_PARKING, /* the job's process prepares itself */
  XH_WAITING, /* ready; for the host's word */
  XH_RUNNING, /* scripts, then the job */
  XH_ENDING,  /* the main process is ending or has ended; its pipes may be open */
  XH_DONE,    /* only the evidence is left to be written */
} xh_phase;

typedef struct xh_failure {
  int error;        /* errno */
  const char *step; /* NULL = nothing failed */
} xh_failure;

typedef struct xh_shim {
  xh_phase phase;
  pid_t pid;
  int dir;
  int signals;  /* signalfd for SIGCHLD */
  int deadline; /* timerfd on CLOCK_BOOTTIME */

  const xh_source *source;
  xh_spec spec;
  xh_host host;
  xh_control control;
  xh_log log;
  xh_cgroups cgroups;
  xh_stop stop;

  xh_child job;
  xh_child script;    /* the one that runs now, if any */
  size_t next_script; /* its index + 1 */
  xh_execs execs;
  xh_child *main; /* the one whose end was the execution's; NULL until then */

  xh_engine *engine; /* of the one source; the rest is the other's */

  bool refused;       /* nothing ran and somebody knows: leave no exit file */
  bool started;       /* something of the job's has passed execve */
  bool executed;      /* the job itself has */
  bool script_failed; /* the last one started */
  xh_failure failure;
  uint64_t started_at, started_mono, ended_at, ended_mono;
  uint64_t quiet_at, cut_at; /* pipe grace: renewed by data, and at the latest */
  bool output_cut;
  unsigned strays_killed;
  bool strays_left; /* some outlived SIGKILL for longer than we wait */
} xh_shim;

#endif
