/* end.c - the relay ends as the workload did. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay.h"

/* key=value lines, for the host: how the workload ended, and how its machine did. */
void xh_relay_write_report(const xh_relay *r) {
  char text[1024];
  int used = snprintf(text, sizeof text, "format=1\nby=%s\n",
                      !r->greeted    ? "nobody"
                      : r->by_serial ? "serial"
                                     : "socket");
  if (r->vmm_ended && WIFSIGNALED(r->vmm_status))
    used += snprintf(text + used, sizeof text - (size_t)used, "vmm_signal=%d\n",
                     WTERMSIG(r->vmm_status));
  else if (r->vmm_ended)
    used += snprintf(text + used, sizeof text - (size_t)used, "vmm_code=%d\n",
                     WEXITSTATUS(r->vmm_status));
  if (r->said_end)
    used += snprintf(text + used, sizeof text - (size_t)used, "%s\n", r->word.end);
  for (int i = 0; i < used; i++)
    if (text[i] == ' ')
      text[i] = '\n';
  int fd = open(XH_RELAY_REPORT ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || !xh_wire_write(fd, text, (size_t)used))
    return;
  close(fd);
  rename(XH_RELAY_REPORT ".new", XH_RELAY_REPORT);
}

int xh_relay_leave(const xh_relay *r) {
  sigset_t set;
  unlinkat(r->jail.folder, r->socket, 0);
  xh_relay_write_report(r);
  xh_jail_dismiss(&r->jail);
  if (r->word.signal > 0) {
    signal(r->word.signal, SIG_DFL);
    sigfillset(&set);
    sigdelset(&set, r->word.signal);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core of ours */
    kill(getpid(), r->word.signal);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return 128 + r->word.signal; /* one that ends nobody by default */
  }
  return r->said_end && r->word.code >= 0 ? r->word.code : 1;
}
