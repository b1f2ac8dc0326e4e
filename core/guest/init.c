/* init.c - exhost-init: the first process of a virtual machine. Runs the scripts and
 * the job, tells the host how that ended, and ends the machine. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drives.h"
#include "job.h"
#include "net.h"
#include "place.h"
#include "report.h"
#include "run.h"
#include "user.h"

/* What is killed leaves at once, but for what the disk holds up. */
#define LEAVE_TRIES 500
#define LEAVE_PAUSE_MS 2

static bool is_good(const xh_ending *ending) {
  return ending->error == 0 && WIFEXITED(ending->status) &&
         WEXITSTATUS(ending->status) == 0;
}

/* What still runs would keep the disks from being clean. */
static void kill_the_rest(void) {
  kill(-1, SIGKILL);
  for (int tries = 0; tries < LEAVE_TRIES; tries++) {
    pid_t got;
    do
      got = waitpid(-1, NULL, WNOHANG);
    while (got > 0);
    if (got < 0)
      return; /* there are no more */
    poll(NULL, 0, LEAVE_PAUSE_MS);
  }
}

/* All of it: scripts in their order, then the job. */
static void run_all(xh_runner *runner, const xh_drives *drives,
                    const xh_options *options) {
  bool count_oom = !options->namespaces;
  const xh_job *job = runner->job;
  const char *script = NULL;
  xh_ending ending = {0};
  long before = count_oom ? xh_place_oom_kills() : 0;
  for (size_t i = 0; i < job->script_count && script == NULL; i++) {
    ending = xh_run(runner, job->scripts[i]);
    if (!is_good(&ending))
      script = job->script_names[i];
  }
  if (script == NULL)
    ending = xh_run(runner, NULL);
  bool oom = count_oom && xh_place_oom_kills() > before;
  kill_the_rest();
  xh_drives_settle(drives);
  /* Before the word of the end: the host may end the machine as soon as it has it. */
  xh_place_settle(options);
  xh_run_report(runner->reporter, &ending, oom, script);
}

int main(int argc, char **argv) {
  xh_options options;
  xh_reporter reporter = {.socket = -1, .connection = -1, .console = -1};
  xh_runner runner;
  xh_drives drives;
  xh_job job;
  if (getpid() != 1)
    return 1; /* it would end the machine that it runs on */
  xh_place_options(&options, argc, argv);
  xh_place_mount(&options);
  reporter.kernel_silent = !options.namespaces; /* else it is the host's */
  int unreadable = xh_job_read(&job, options.job);
  xh_report_open(&reporter, options.report, job.token != NULL ? job.token : "none");
  xh_ending failed = {.error = -unreadable, .step = "job"};
  if (failed.error == 0)
    failed =
      (xh_ending){.error = -xh_drives_open(&drives, &job, &options), .step = "mount"};
  if (failed.error == 0)
    failed = (xh_ending){.error = -xh_place_enter(&options), .step = "root"};
  if (failed.error == 0)
    failed = (xh_ending){.error = -xh_user_find(&job), .step = "user"};
  if (failed.error == 0)
    failed = (xh_ending){.error = -xh_drives_mount(&drives, &job), .step = "mount"};
  if (failed.error == 0)
    failed = (xh_ending){.error = -xh_net_raise(options.net), .step = "network"};
  if (failed.error == 0)
    failed =
      (xh_ending){.error = -xh_run_open(&runner, &job, &reporter), .step = "fork"};
  if (failed.error == 0)
    run_all(&runner, &drives, &options);
  else
    xh_run_report(&reporter, &failed, false, NULL);
  xh_report_settle(&reporter);
  xh_place_end(&options);
}
