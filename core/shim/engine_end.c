/* engine_end.c - how a container's execution comes to its end. */
#include "engine_end.h"

#include <string.h>

#include "clock.h"
#include "shim.h"

#define KILLED 137 /* what engines say of SIGKILL, and of `exit 137` */

void xh_engine_leave(xh_shim *s) {
  s->refused = true;
  s->phase = XH_DONE;
}

void xh_engine_quiet(xh_shim *s, uint64_t now) {
  uint64_t quiet = xh_clock_after(now, xh_clock_ms(s->spec.pipe_grace_ms));
  s->quiet_at = xh_clock_first(quiet, s->cut_at);
}

/* Somebody's forced removal kills first, and goes on while we look. One after the
 * end has another code, and ours comes after a stop. */
static bool is_being_removed(const xh_shim *s) {
  const xh_inspect *state = &s->engine->state;
  bool removing =
    strcmp(state->status, "removing") == 0 || strcmp(state->status, "dead") == 0;
  return removing && state->code == KILLED && !state->oom_killed &&
         !s->engine->oom.seen && !s->stop.noted;
}

void xh_engine_over(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  s->phase = XH_ENDING;
  xh_oom_look(&e->oom);
  e->removed |= is_being_removed(s);
  s->ended_at = xh_clock(CLOCK_REALTIME);
  s->ended_mono = now;
  s->cut_at = xh_clock_after(now, xh_clock_ms(s->spec.pipe_grace_max_ms));
  xh_engine_quiet(s, now);
  for (int i = XH_ENGINE_WAIT; i < XH_ENGINE_CALLS; i++)
    xh_call_drop(&e->calls[i]);
  /* It may have run again and ended between two looks. */
  if (e->state.restarts != e->restarts)
    e->broken = true;
}

static void cut(xh_shim *s) {
  s->output_cut = s->engine->calls[XH_ENGINE_OUT].state != XH_CALL_IDLE;
  s->phase = XH_DONE;
}

void xh_engine_end_tick(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  bool idle = e->calls[XH_ENGINE_OUT].state == XH_CALL_IDLE;
  bool missing = e->broken || xh_output_short(&e->output);
  if (now >= s->quiet_at || (idle && (e->removed || e->no_history))) {
    e->output.gaps += missing && s->started;
    cut(s);
  } else if (idle && !e->broken) {
    e->output.gaps += xh_output_short(&e->output);
    cut(s);
  } else if (idle && s->started) {
    xh_engine_want(e, XH_ENGINE_OUT, 0);
  } else if (idle) {
    cut(s);
  }
}

/* The zero time is an engine's way to say never. */
static void add_time(xh_text *out, const char *key, const char *value) {
  if (*value != '\0' && strncmp(value, "0001-", 5) != 0)
    xh_text_pair(out, key, value);
}

void xh_engine_evidence(xh_shim *s, xh_text *out) {
  const xh_engine *e = s->engine;
  const xh_inspect *state = &e->state;
  xh_text_count(out, "engine", 1);
  if (e->removed)
    xh_text_count(out, "removed", 1);
  else if (state->has_code && s->started)
    xh_text_count(out, "code", state->code);
  if (!e->removed && (state->oom_killed || e->oom.seen)) {
    xh_text_count(out, "oom_killed", 1);
    xh_text_pair(out, "oom_by", state->oom_killed ? "engine" : "cgroup");
  }
  if (s->stop.noted && e->kill_due && !e->removed && state->code == KILLED)
    xh_text_count(out, "stop_killed", 1);
  if (state->image[0] != '\0')
    xh_text_pair(out, "image", state->image);
  if (state->error[0] != '\0')
    xh_text_pair(out, "engine_error", state->error);
  add_time(out, "engine_started_at", state->started_at);
  add_time(out, "engine_finished_at", state->finished_at);
  if (s->output_cut)
    xh_text_pair(out, "pipe_grace", "expired");
  if (e->output.gaps > 0)
    xh_text_count(out, "gaps", e->output.gaps);
  if (e->away) /* of what is written to an engine that is away not all is kept */
    xh_text_time(out, "engine_away_at", e->lost_at);
  if (e->reattached > 0)
    xh_text_count(out, "reattached", e->reattached);
}
