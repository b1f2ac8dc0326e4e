/* control.c - lines that any host may write to the control FIFO. */
#include "control.h"

#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "shim.h"
#include "supervise.h"
#include "text.h"

#define MAX_WORDS 5 /* one more than any line may have */

static bool parse_signal(const char *word, int *out) {
  uint64_t number;
  if (!xh_text_parse(word, 10, &number) || number == 0 || number > (uint64_t)SIGRTMAX)
    return false;
  *out = (int)number;
  return true;
}

/* An engine knows the container's own: 0. */
static bool parse_stop_signal(const xh_shim *s, const char *word, int *out) {
  if (s->spec.engine.address == NULL || strcmp(word, "0") != 0)
    return parse_signal(word, out);
  *out = 0;
  return true;
}

static bool do_stop(xh_shim *s, char **words) {
  int sig;
  uint64_t grace_ms;
  const char *by = words[3] != NULL ? words[3] : "";
  if (!parse_stop_signal(s, words[1], &sig) || !xh_text_parse(words[2], 10, &grace_ms))
    return false;
  if (strlen(by) >= sizeof s->stop.by)
    return false;
  s->source->stop(s, sig, xh_clock_ms(grace_ms), by);
  return true;
}

static bool do_signal(xh_shim *s, char **words) {
  int sig;
  return parse_signal(words[1], &sig) && xh_stop_signal_main(s, sig);
}

bool xh_control_deadline(xh_shim *s, uint64_t boottime_ns) {
  struct itimerspec at = {.it_value = {.tv_sec = (time_t)(boottime_ns / XH_SECOND),
                                       .tv_nsec = (long)(boottime_ns % XH_SECOND)}};
  return timerfd_settime(s->deadline, TFD_TIMER_ABSTIME, &at, NULL) == 0;
}

static bool do_deadline(xh_shim *s, char **words) {
  uint64_t at;
  return xh_text_parse(words[1], 10, &at) && at <= INT64_MAX &&
         xh_control_deadline(s, at);
}

static bool do_pause(xh_shim *s, char **words) {
  (void)words;
  return xh_stop_pause(s, true);
}

static bool do_resume(xh_shim *s, char **words) {
  (void)words;
  return xh_stop_pause(s, false);
}

static bool do_exec(xh_shim *s, char **words) {
  return xh_execs_start(s, words[1]);
}

static const struct {
  const char *name;
  size_t least, most; /* words, the name included */
  bool (*obey)(xh_shim *s, char **words);
  bool child_only; /* hosts ask an engine by themselves */
} COMMANDS[] = {
  {"stop", 3, 4, do_stop, false},         {"signal", 2, 2, do_signal, true},
  {"deadline", 2, 2, do_deadline, false}, {"pause", 1, 1, do_pause, true},
  {"resume", 1, 1, do_resume, true},      {"exec", 2, 2, do_exec, true},
};

static bool applies(const xh_shim *s, bool child_only) {
  return !child_only || s->spec.engine.address == NULL;
}

static bool obey(xh_shim *s, char *line) {
  char *words[MAX_WORDS + 1] = {NULL};
  size_t count = 0;
  char *rest = line;
  while (count < MAX_WORDS && (words[count] = strsep(&rest, " ")) != NULL)
    count++;
  for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
    if (strcmp(words[0], COMMANDS[i].name) == 0)
      return count >= COMMANDS[i].least && count <= COMMANDS[i].most &&
             applies(s, COMMANDS[i].child_only) && COMMANDS[i].obey(s, words);
  return false;
}

static void take_byte(xh_shim *s, char byte) {
  xh_control *c = &s->control;
  if (byte != '\n') {
    if (c->used < sizeof c->line - 1)
      c->line[c->used++] = byte;
    else
      c->overlong = true;
    return;
  }
  c->line[c->used] = '\0';
  if (c->overlong || !obey(s, c->line))
    c->bad++;
  c->used = 0;
  c->overlong = false;
}

void xh_control_read(xh_shim *s) {
  char bytes[XH_CONTROL_MAX];
  ssize_t got = read(s->control.fd, bytes, sizeof bytes);
  for (ssize_t i = 0; i < got; i++)
    take_byte(s, bytes[i]);
}
