/* engine_stop.c - stop a container: signal, grace, SIGKILL, all by its engine. */
#include "engine_stop.h"

#include <signal.h>
#include <string.h>

#include "clock.h"
#include "shim.h"

#define ANSWER_MAX (30 * XH_SECOND)
#define KILL_AGAIN XH_SECOND
#define FOREVER UINT64_C(1000000000) /* seconds; more overflows in engines */
#define SIGNAL_IN_STOP 42            /* the API that lets `stop` name one */

static void note(xh_stop *stop, int sig, const char *by) {
  stop->noted = true;
  stop->first_signal = sig;
  strncpy(stop->by, by, sizeof stop->by - 1);
}

void xh_engine_stop(xh_shim *s, int sig, uint64_t grace_ns, const char *by) {
  xh_stop *stop = &s->stop;
  xh_engine *e = s->engine;
  if (s->phase >= XH_ENDING)
    return;
  if (!stop->noted)
    note(stop, sig, by);
  if (!stop->active)
    stop->kill_at = XH_NEVER;
  if (sig == SIGKILL)
    grace_ns = 0;
  else if (grace_ns > 0 && e->halt != XH_HALT_KILL &&
           (!stop->active || sig != stop->signal)) {
    e->halt = XH_HALT_STOP;
    stop->signal = sig;
    xh_call_drop(&e->calls[XH_ENGINE_ACT]);
  }
  stop->active = true;
  uint64_t kill_at = xh_clock_after(xh_clock_now(), grace_ns);
  stop->kill_at = xh_clock_first(stop->kill_at, kill_at);
  xh_engine_want(e, XH_ENGINE_ASK, 0);
}

void xh_engine_stop_tick(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  if (!s->stop.active || now < s->stop.kill_at)
    return;
  s->stop.kill_at = now + KILL_AGAIN;
  e->kill_due = true;
  if (e->halt != XH_HALT_KILL)
    xh_call_drop(&e->calls[XH_ENGINE_ACT]); /* the engine's own grace is longer */
  e->halt = XH_HALT_KILL;
  xh_engine_want(e, XH_ENGINE_ASK, 0);
}

/* The whole seconds until the kill. */
static uint64_t seconds_left(const xh_shim *s, uint64_t now) {
  uint64_t at = s->stop.kill_at;
  uint64_t left = at > now ? at - now : 0;
  return xh_clock_first((left + XH_SECOND - 1) / XH_SECOND, FOREVER);
}

static void begin_stop(xh_shim *s, uint64_t now) {
  char rest[64];
  xh_text out = {rest, rest + sizeof rest - 1};
  uint64_t sig = (uint64_t)s->stop.signal;
  bool special = sig != 0 && sig != s->spec.stop_signal;
  bool stop = !special || s->engine->no_kill ||
              xh_engine_spec_has(&s->spec.engine, SIGNAL_IN_STOP);
  if (stop) {
    xh_text_add(&out, "/stop?t=");
    xh_text_number(&out, seconds_left(s, now));
  }
  if (special && !s->engine->no_kill) {
    xh_text_add(&out, stop ? "&signal=" : "/kill?signal=");
    xh_text_number(&out, sig);
  }
  *out.at = '\0';
  /* `stop` is answered when the container has ended; our own kill comes if not. */
  xh_engine_call_begin(s, XH_ENGINE_ACT, "POST", rest,
                       stop ? XH_NEVER : now + ANSWER_MAX);
}

static void begin(xh_shim *s, xh_halt what, uint64_t now) {
  s->engine->acting = what;
  s->engine->retry[XH_ENGINE_ACT].began = now;
  if (what == XH_HALT_STOP)
    begin_stop(s, now);
  else
    xh_engine_call_begin(s, XH_ENGINE_ACT, "POST",
                         what == XH_HALT_UNPAUSE ? "/unpause"
                         : s->engine->no_kill    ? "/stop?t=0"
                                                 : "/kill?signal=KILL",
                         now + ANSWER_MAX);
}

void xh_engine_stop_act(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  if (e->halt == XH_HALT_NONE || e->calls[XH_ENGINE_ACT].state != XH_CALL_IDLE)
    return;
  if (now < e->retry[XH_ENGINE_ACT].not_before)
    xh_engine_want(e, XH_ENGINE_ASK, e->retry[XH_ENGINE_ACT].not_before);
  else
    begin(s, e->state.paused ? XH_HALT_UNPAUSE : e->halt, now);
}

void xh_engine_stop_settle(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  xh_call *call = &e->calls[XH_ENGINE_ACT];
  int failure = xh_engine_failure(call);
  if (failure == 0 && !call->answer.head)
    return;
  int status = call->answer.status;
  xh_call_drop(call);
  if (e->acting == XH_HALT_UNPAUSE && (failure == 0 || failure >= 300)) {
    begin(s, e->halt, now); /* if it was not paused, so much the better */
    return;
  }
  if (failure == 409)
    e->no_kill = true; /* between two runs: only `stop` ends that */
  if (failure != 0)
    xh_engine_rest(e, XH_ENGINE_ACT, now);
  else
    e->halt = XH_HALT_NONE;
  if (failure != 0 || status == 304)
    xh_engine_want(e, XH_ENGINE_ASK, e->retry[XH_ENGINE_ACT].not_before);
}
