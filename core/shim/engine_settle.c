/* engine_settle.c - what an engine's answers mean. */
#include "engine_settle.h"

#include <errno.h>

#include "clock.h"
#include "engine_end.h"
#include "engine_stop.h"
#include "shim.h"

#define NOT_IMPLEMENTED 501 /* this log driver cannot be read */
/* The end of the output comes first, and the answer to `wait` some ms later. */
#define WAIT_LATE (250 * XH_MS)
/* A host may have died while the engine was busy with its start. */
#define START_MAX (2 * XH_SECOND)
#define START_ASK (100 * XH_MS)
#define RESTART_ASK (500 * XH_MS)

static void refuse(xh_shim *s, int error, const char *step) {
  xh_host_error(&s->host, error, step);
  xh_engine_leave(s);
}

static bool parked(const xh_shim *s) {
  return s->phase == XH_PARKING;
}

/* Its queue of new connections is full: come again. */
static bool came_again(xh_shim *s, xh_engine_call which, int failure, uint64_t now) {
  if (failure != EAGAIN || !parked(s))
    return false;
  xh_call_drop(&s->engine->calls[which]);
  xh_engine_rest(s->engine, which, now);
  xh_engine_want(s->engine, which, 0);
  return true;
}

/* Its head has come just now. */
static bool is_new(xh_engine *e, xh_engine_call which) {
  if (e->seen[which] || !e->calls[which].answer.head)
    return false;
  e->calls[which].expires = XH_NEVER; /* its body takes as long as it takes */
  return e->seen[which] = true;
}

/* If it was cut, then whatever of the output comes to its end from now on, or has,
 * may lack its end. */
static void lost(xh_shim *s, xh_engine_call which, uint64_t now) {
  xh_call *call = &s->engine->calls[which];
  s->engine->broken |= call->state == XH_CALL_FAILED || which == XH_ENGINE_OUT;
  s->engine->away |= call->state == XH_CALL_FAILED && call->sent == 0;
  if (s->engine->lost_at == 0)
    s->engine->lost_at = xh_clock(CLOCK_REALTIME);
  xh_call_drop(call);
  xh_engine_rest(s->engine, which, now);
  xh_engine_want(s->engine, XH_ENGINE_ASK, 0);
}

static void ended(xh_shim *s, xh_engine_call which, uint64_t now, uint64_t ask) {
  xh_call_drop(&s->engine->calls[which]);
  xh_engine_rest(s->engine, which, now);
  xh_engine_want(s->engine, XH_ENGINE_ASK, ask);
}

static void reattached(xh_shim *s) {
  xh_engine *e = s->engine;
  e->broken = false;
  if (s->phase != XH_ENDING) {
    e->lost_at = 0;
    e->away = false;
  }
  e->reattached++;
  e->output.gaps += e->output.inexact || e->no_history;
}

static void settle_out(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  xh_call *call = &e->calls[XH_ENGINE_OUT];
  int failure = xh_engine_failure(call);
  if (came_again(s, XH_ENGINE_OUT, failure, now))
    return;
  if (failure != 0 && parked(s)) {
    refuse(s, failure, call->sent == 0 ? "connect" : "attach");
  } else if (failure != 0) {
    e->no_history |= failure == NOT_IMPLEMENTED;
    lost(s, XH_ENGINE_OUT, now);
  } else if (is_new(e, XH_ENGINE_OUT)) {
    if (parked(s))
      xh_engine_want(e, XH_ENGINE_WAIT, 0);
    else
      reattached(s);
  }
  if (call->state != XH_CALL_DONE)
    return;
  if (!xh_output_end(&e->output))
    e->broken = true;
  else if (xh_output_short(&e->output) && s->phase != XH_ENDING)
    e->broken = true; /* there may be more of it later */
  bool waits = e->calls[XH_ENGINE_WAIT].state == XH_CALL_OPEN;
  ended(s, XH_ENGINE_OUT, now, waits ? now + WAIT_LATE : 0);
}

/* Whether that answer to `wait` is all there is to know: it was seen to run, nothing
 * went wrong since, it ended well by itself, and will not run again. */
static bool ended_well(const xh_shim *s) {
  const xh_engine *e = s->engine;
  return s->spec.engine.once && s->phase == XH_RUNNING && e->state.known &&
         !e->broken && !s->stop.noted && xh_json_complete(&e->waited_json) &&
         e->waited.has_code && e->waited.code == 0 && !e->waited.failed;
}

static void settle_wait(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  xh_call *call = &e->calls[XH_ENGINE_WAIT];
  int failure = xh_engine_failure(call);
  if (came_again(s, XH_ENGINE_WAIT, failure, now))
    return;
  if (failure != 0 && parked(s)) {
    refuse(s, failure, "wait");
  } else if (failure != 0) {
    lost(s, XH_ENGINE_WAIT, now);
  } else if (is_new(e, XH_ENGINE_WAIT)) {
    if (parked(s)) {
      s->phase = XH_WAITING;
      xh_host_ready(&s->host);
    } else {
      /* The end may have come before this call did. */
      xh_engine_want(e, XH_ENGINE_ASK, 0);
    }
  }
  if (call->state == XH_CALL_DONE && ended_well(s)) {
    xh_inspect_end(&e->state, e->waited.code);
    xh_engine_over(s, now);
  } else if (call->state == XH_CALL_DONE) {
    ended(s, XH_ENGINE_WAIT, now, 0);
  }
}

static void see_alive(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  if (e->oom.fd < 0) /* of an earlier run, or we are late */
    xh_oom_open(&e->oom, s->spec.engine.container);
  if (e->calls[XH_ENGINE_WAIT].state == XH_CALL_IDLE)
    xh_engine_want(e, XH_ENGINE_WAIT, 0);
  if (e->calls[XH_ENGINE_OUT].state == XH_CALL_IDLE) {
    e->broken = true;
    if (e->state.restarting) { /* there is nothing to follow yet */
      xh_engine_want(e, XH_ENGINE_ASK, now + RESTART_ASK);
    } else {
      e->restarts = e->state.restarts;
      xh_engine_want(e, XH_ENGINE_OUT, 0);
    }
  }
  xh_engine_stop_act(s, now);
}

static void judge(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  /* It ran when it was looked at; what made us want to know again came later. */
  if (e->retry[XH_ENGINE_ASK].at != XH_NEVER && s->phase == XH_RUNNING &&
      !xh_inspect_over(&e->state))
    return;
  bool created = xh_inspect_created(&e->state);
  if (created && now < e->first_seen + START_MAX) {
    xh_engine_want(e, XH_ENGINE_ASK, now + START_ASK);
    return;
  }
  if (s->phase == XH_WAITING && created) {
    xh_engine_leave(s);
    return;
  }
  if (s->phase == XH_WAITING)
    xh_engine_run(s);
  if (created)
    s->started = false;
  if (xh_inspect_over(&e->state))
    xh_engine_over(s, now);
  else
    see_alive(s, now);
}

static void settle_ask(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  xh_call *call = &e->calls[XH_ENGINE_ASK];
  int failure = xh_engine_failure(call);
  if (failure == 404 && s->phase == XH_WAITING) {
    xh_engine_leave(s);
  } else if (failure == 404) {
    e->removed = true;
    xh_engine_over(s, now);
  } else if (failure != 0) {
    lost(s, XH_ENGINE_ASK, now);
  } else if (call->state == XH_CALL_DONE) {
    xh_call_drop(call);
    if (!xh_json_complete(&e->json) || !e->coming.known) {
      lost(s, XH_ENGINE_ASK, now);
      return;
    }
    e->state = e->coming;
    if (e->first_seen == 0)
      e->first_seen = now;
    e->retry[XH_ENGINE_ASK].delay = e->retry[XH_ENGINE_ASK].not_before = 0;
    judge(s, now);
  }
}

static void (*const SETTLE[])(xh_shim *s, uint64_t now) = {
  settle_out, settle_wait, settle_ask, xh_engine_stop_settle};

void xh_engine_settle(xh_shim *s, xh_engine_call which, uint64_t now) {
  if (s->phase != XH_DONE && s->engine->calls[which].state != XH_CALL_IDLE)
    SETTLE[which](s, now);
}
