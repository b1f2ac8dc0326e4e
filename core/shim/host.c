/* host.c - the word with the host that started us. */
#include "host.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text.h"

/* A negative number is none. */
static void say(xh_host *host, const char *word, int number, const char *step) {
  char line[128];
  xh_text text = {line, line + sizeof line};
  if (host->fd < 0)
    return;
  xh_text_add(&text, word);
  if (number >= 0) {
    xh_text_add(&text, " ");
    xh_text_number(&text, (uint64_t)number);
  }
  if (step != NULL) {
    xh_text_add(&text, " ");
    xh_text_add(&text, step);
  }
  xh_text_add(&text, "\n");
  ssize_t done =
    send(host->fd, line, (size_t)(text.at - line), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)done;
}

void xh_host_ready(xh_host *host) {
  say(host, "ready", -1, NULL);
}

void xh_host_started(xh_host *host, int pid) {
  say(host, "started", pid, NULL);
}

void xh_host_error(xh_host *host, int error, const char *step) {
  say(host, "error", error, step);
}

xh_word xh_host_read(xh_host *host) {
  size_t room = sizeof host->line - host->used;
  ssize_t got = recv(host->fd, host->line + host->used, room, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return XH_WORD_NONE;
  if (got <= 0)
    return XH_WORD_GONE;
  host->used += (size_t)got;
  if (host->used == 3 && memcmp(host->line, "go\n", 3) == 0)
    return XH_WORD_GO;
  return host->used < 3 ? XH_WORD_NONE : XH_WORD_GONE;
}

void xh_host_close(xh_host *host) {
  if (host->fd >= 0)
    close(host->fd);
  host->fd = -1;
}
