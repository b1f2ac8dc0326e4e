/* engine.c - the life of a container: attached, go, running, over. */
#include "engine.h"

#include <errno.h>
#include <sys/mman.h>

#include "clock.h"
#include "engine_end.h"
#include "engine_settle.h"
#include "engine_stop.h"
#include "shim.h"

#define ANSWER_MAX (30 * XH_SECOND)
#define GROUP_LOOK (40 * XH_MS) /* no container is made, started and gone in less */

static void begin_out(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  if (s->phase == XH_PARKING || e->no_history) {
    xh_output_attach(&e->output);
    xh_engine_call_begin(s, XH_ENGINE_OUT, "POST", "/attach?stream=1&stdout=1&stderr=1",
                         now + ANSWER_MAX);
    return;
  }
  char rest[128];
  xh_text out = {rest, rest + sizeof rest - 1};
  xh_text_add(&out, "/logs?stdout=1&stderr=1&follow=");
  xh_text_add(&out, s->phase == XH_ENDING ? "0" : "1");
  if (e->output.inexact) {
    xh_text_add(&out, "&since=");
    xh_output_since(&s->log, &out);
  }
  *out.at = '\0';
  xh_output_history(&e->output, &s->log);
  xh_engine_call_begin(s, XH_ENGINE_OUT, "GET", rest, now + ANSWER_MAX);
}

static void begin_wait(xh_shim *s, uint64_t now) {
  xh_waited_begin(&s->engine->waited, &s->engine->waited_json);
  xh_engine_call_begin(s, XH_ENGINE_WAIT, "POST", "/wait?condition=next-exit",
                       now + ANSWER_MAX);
}

static void begin_ask(xh_shim *s, uint64_t now) {
  xh_inspect_begin(&s->engine->coming, &s->engine->json);
  xh_engine_call_begin(s, XH_ENGINE_ASK, "GET", "/json", now + ANSWER_MAX);
}

static void (*const BEGIN[])(xh_shim *s, uint64_t now) = {begin_out, begin_wait,
                                                          begin_ask};

static int begin(xh_shim *s) {
  /* Not in xh_shim, so that a child's shim does not pay for it. */
  xh_engine *e =
    mmap(NULL, sizeof *e, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (e == MAP_FAILED)
    return -errno;
  s->engine = e;
  for (int i = 0; i < XH_ENGINE_CALLS; i++) {
    e->calls[i].fd = -1;
    e->retry[i].at = XH_NEVER;
  }
  e->oom = (xh_oom){.fd = -1, .control = -1};
  xh_output_open(&e->output, &s->log, &s->spec.engine);
  if (!s->spec.engine.reattach) {
    xh_engine_want(e, XH_ENGINE_OUT, 0);
    return 0;
  }
  /* An engine that is away now is no reason to leave, so this is all there is
   * to be ready for. */
  s->phase = XH_RUNNING;
  s->started = e->broken = true;
  xh_host_ready(&s->host);
  xh_host_close(&s->host);
  xh_engine_want(e, XH_ENGINE_ASK, 0);
  return 0;
}

void xh_engine_run(xh_shim *s) {
  s->phase = XH_RUNNING;
  s->started = true;
  s->started_at = xh_clock(CLOCK_REALTIME);
  s->started_mono = xh_clock_now();
  xh_host_started(&s->host, 0);
  xh_host_close(&s->host);
  if (s->engine->oom.fd < 0)
    xh_oom_open(&s->engine->oom, s->spec.engine.container);
  const xh_call *calls = s->engine->calls;
  /* What is asked now need not be when it ends, while somebody waits for that. */
  if (s->stop.active || s->spec.engine.once ||
      calls[XH_ENGINE_OUT].state == XH_CALL_IDLE ||
      calls[XH_ENGINE_WAIT].state == XH_CALL_IDLE)
    xh_engine_want(s->engine, XH_ENGINE_ASK, 0);
}

static void host(xh_shim *s) {
  xh_word word = xh_host_read(&s->host);
  if (word == XH_WORD_GO && s->phase == XH_WAITING) {
    xh_engine_run(s);
  } else if (word == XH_WORD_GONE && s->phase == XH_PARKING) {
    xh_engine_leave(s); /* hosts start nothing before *ready* */
  } else if (word == XH_WORD_GONE) {
    xh_host_close(&s->host);
    s->engine->orphan = true;
    xh_engine_want(s->engine, XH_ENGINE_ASK, 0);
  }
}

static size_t watch(const xh_shim *s, struct pollfd *fds) {
  for (int i = 0; i < XH_ENGINE_CALLS; i++) {
    const xh_call *call = &s->engine->calls[i];
    fds[i] = (struct pollfd){.fd = call->fd, .events = xh_call_events(call)};
  }
  fds[XH_ENGINE_CALLS] =
    (struct pollfd){.fd = s->engine->oom.fd, .events = s->engine->oom.events};
  return XH_ENGINE_CALLS + 1;
}

static bool sink_out(void *user, const char *data, size_t size) {
  xh_shim *s = user;
  uint64_t now = xh_clock_now();
  if (s->engine->calls[XH_ENGINE_OUT].answer.status >= 300)
    return true;
  if (s->phase == XH_ENDING)
    xh_engine_quiet(s, now);
  return xh_output_take(&s->engine->output, &s->log, data, size, now);
}

static bool sink_ask(void *user, const char *data, size_t size) {
  xh_shim *s = user;
  xh_json_take(&s->engine->json, data, size);
  return true;
}

static bool sink_wait(void *user, const char *data, size_t size) {
  xh_shim *s = user;
  xh_json_take(&s->engine->waited_json, data, size);
  return true;
}

static const xh_call_sink SINKS[XH_ENGINE_CALLS] = {sink_out, sink_wait, sink_ask,
                                                    NULL};

static void dispatch(xh_shim *s, const struct pollfd *fds, size_t count) {
  size_t size;
  if (count > XH_ENGINE_CALLS && fds[XH_ENGINE_CALLS].revents != 0)
    xh_oom_look(&s->engine->oom);
  for (size_t i = 0; i < XH_ENGINE_CALLS && s->phase != XH_DONE; i++) {
    xh_call *call = &s->engine->calls[i];
    if (fds[i].revents == 0 || call->fd != fds[i].fd)
      continue;
    uint64_t now = xh_clock_now();
    char *buffer = xh_log_buffer(&s->log, &size, now);
    xh_call_step(call, buffer, size, SINKS[i], s);
    xh_engine_settle(s, (xh_engine_call)i, now);
  }
}

/* Before go only what makes it ready, and after the end only the output. */
static bool may_begin(const xh_shim *s, xh_engine_call which) {
  if (which == XH_ENGINE_OUT)
    return s->phase != XH_WAITING;
  if (which == XH_ENGINE_WAIT && s->phase == XH_PARKING)
    return true;
  return s->phase == XH_RUNNING || (which == XH_ENGINE_ASK && s->engine->orphan);
}

/* The engine starts it before we hear of it, and it may have ended by then, with all
 * that could tell what for. */
static void find_group(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  if (e->oom.fd >= 0 || now < e->group_at)
    return;
  xh_oom_open(&e->oom, s->spec.engine.container);
  e->group_at = xh_clock_after(now, GROUP_LOOK);
}

static void tick(xh_shim *s, uint64_t now) {
  xh_engine *e = s->engine;
  for (int i = 0; i < XH_ENGINE_CALLS; i++) {
    xh_call_tick(&e->calls[i], now);
    xh_engine_settle(s, (xh_engine_call)i, now);
  }
  if (s->phase == XH_WAITING)
    find_group(s, now);
  if (s->phase == XH_RUNNING)
    xh_engine_stop_tick(s, now);
  for (int i = 0; i < XH_ENGINE_ACT && s->phase != XH_DONE; i++) {
    if (now < e->retry[i].at || e->calls[i].state != XH_CALL_IDLE ||
        !may_begin(s, (xh_engine_call)i))
      continue;
    e->retry[i].at = XH_NEVER;
    e->retry[i].began = now;
    e->seen[i] = false;
    BEGIN[i](s, now);
    xh_engine_settle(s, (xh_engine_call)i, now);
  }
  if (s->phase == XH_ENDING)
    xh_engine_end_tick(s, now);
}

static uint64_t next(const xh_shim *s) {
  const xh_engine *e = s->engine;
  uint64_t when = XH_NEVER;
  for (int i = 0; i < XH_ENGINE_CALLS; i++) {
    when = xh_clock_first(when, xh_call_next(&e->calls[i]));
    if (e->calls[i].state == XH_CALL_IDLE && may_begin(s, (xh_engine_call)i))
      when = xh_clock_first(when, e->retry[i].at);
  }
  if (s->phase == XH_WAITING && e->oom.fd < 0)
    when = xh_clock_first(when, e->group_at);
  if (s->phase == XH_RUNNING && s->stop.active)
    when = xh_clock_first(when, s->stop.kill_at);
  return s->phase == XH_ENDING ? xh_clock_first(when, s->quiet_at) : when;
}

static void finish(xh_shim *s) {
  (void)s; /* the container is the host's to remove */
}

const xh_source XH_SOURCE_ENGINE = {
  .begin = begin,
  .watch = watch,
  .dispatch = dispatch,
  .host = host,
  .stop = xh_engine_stop,
  .tick = tick,
  .next = next,
  .finish = finish,
  .evidence = xh_engine_evidence,
};
