/* exec.c - more processes beside the job, on behalf of the host. */
#include "exec.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run.h"
#include "wire.h"

#define CALL_TRIES 20
#define CALL_PAUSE_MS 50

static void close_all(const xh_runner *r) {
  const int fds[] = {r->signals, r->output[0], r->output[1], r->reporter->connection,
                     r->reporter->console};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

/* The words of the command, into a copy of the job. False: not what our host says. */
static bool receive(int connection, xh_job *job) {
  unsigned char header[XH_WIRE_HEADER];
  if (recv(connection, header, sizeof header, MSG_WAITALL) != (ssize_t)sizeof header)
    return false;
  size_t size = xh_wire_size(header);
  if (header[0] != XH_WIRE_WORDS || size == 0 || size > XH_WIRE_WORDS_MAX)
    return false;
  char *data = malloc(size);
  job->argv = calloc(size + 1, sizeof *job->argv);
  if (data == NULL || job->argv == NULL)
    return false;
  for (size_t got = 0; got < size;) {
    ssize_t more = recv(connection, data + got, size - got, 0);
    if (more <= 0)
      return false;
    got += (size_t)more;
  }
  if (data[size - 1] != '\0' || data[0] == '\0')
    return false;
  job->argc = 0;
  for (char *word = data; word < data + size; word += strlen(word) + 1)
    job->argv[job->argc++] = word;
  return true;
}

/* Call the host and get the command. It may have no place for one more caller just now,
 * and hangs up as it does when nobody wants the command any more. */
static bool call(xh_reporter *reporter, xh_job *job, const char *nonce) {
  for (int tries = 0; tries < CALL_TRIES; tries++) {
    if (tries > 0)
      poll(NULL, 0, CALL_PAUSE_MS);
    reporter->number = 0;
    reporter->connection = xh_report_dial(reporter);
    if (reporter->connection < 0)
      return false;
    xh_report(reporter, "EXEC nonce=%s", nonce);
    if (reporter->connection >= 0 && receive(reporter->connection, job))
      return true;
    if (reporter->connection >= 0)
      close(reporter->connection);
  }
  return false;
}

static void serve(const xh_runner *r, const char *nonce) {
  xh_reporter reporter = *r->reporter;
  xh_job job = *r->job;
  xh_runner runner;
  close_all(r);
  reporter.console = -1;
  if (!call(&reporter, &job, nonce))
    return;
  xh_ending ending = {.error = -xh_run_open(&runner, &job, &reporter), .step = "fork"};
  runner.lone = true;
  if (ending.error == 0)
    ending = xh_run(&runner, NULL);
  xh_run_report(&reporter, &ending, false, NULL);
  xh_report_settle(&reporter);
}

void xh_exec_start(xh_runner *r, const char *nonce) {
  pid_t pid = fork();
  if (pid == 0) {
    serve(r, nonce);
    _exit(0);
  }
  if (pid < 0)
    xh_report(r->reporter, "NOEXEC nonce=%s error=%d", nonce, errno);
}
