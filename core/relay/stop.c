/* stop.c - what the shim (signals) and hosts (the control FIFO) want. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay.h"

/* How long a guest may take to end after it was told to. Some monitors (1.16.1) keep
 * what they are sent from a guest that was paused before. */
#define KEYS_MS 500

/* The workload is to be stopped. Where no guest hears it the monitor itself is. */
static void stop(xh_relay *r, int sig) {
  char text[16];
  int size = snprintf(text, sizeof text, "%d", sig);
  if (r->connection >= 0 && r->greeted) {
    /* In this order the signal is the first thing that it sees. */
    xh_wire_send(r->connection, XH_WIRE_STOP, text, (size_t)size);
    xh_relay_resume(r);
    r->keys_at = xh_relay_now() + KEYS_MS;
  } else if (!r->vmm_ended && r->token == NULL && sig != SIGKILL && !r->asked) {
    /* A guest that does not care has the whole grace, as any other workload. */
    r->asked = true;
    xh_relay_resume(r);
    if (!xh_relay_press_keys(r))
      kill(r->vmm, SIGTERM);
  } else if (!r->vmm_ended) {
    kill(r->vmm, sig == SIGKILL ? SIGKILL : SIGTERM);
  }
}

void xh_relay_take_signals(xh_relay *r) {
  struct signalfd_siginfo info;
  while (read(r->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    int sig = (int)info.ssi_signo;
    if (sig == SIGCHLD) {
      if (!r->vmm_ended && waitpid(r->vmm, &r->vmm_status, WNOHANG) == r->vmm)
        r->vmm_ended = true;
    } else if (sig != SIGCONT && sig != SIGPIPE) {
      stop(r, sig);
    }
  }
}

static void obey(xh_relay *r, const char *line) {
  if (strncmp(line, "signal ", 7) == 0 && line[7] != '\0' && r->connection >= 0)
    xh_wire_send(r->connection, XH_WIRE_SIGNAL, line + 7, strlen(line + 7));
  else if (strncmp(line, "exec ", 5) == 0)
    xh_relay_execs_start(r, line + 5);
}

/* Lines "signal N", for the main process of the workload alone, and "exec FOLDER". Each
 * is written at once, but many may wait. */
void xh_relay_take_control(xh_relay *r) {
  ssize_t got =
    read(r->control, r->orders + r->orders_used, sizeof r->orders - 1 - r->orders_used);
  if (got <= 0)
    return;
  r->orders_used += (size_t)got;
  r->orders[r->orders_used] = '\0';
  char *line = r->orders;
  for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    *end = '\0';
    obey(r, line);
  }
  r->orders_used -= (size_t)(line - r->orders);
  if (r->orders_used == sizeof r->orders - 1)
    r->orders_used = 0; /* no line of ours is that long */
  memmove(r->orders, line, r->orders_used);
}
