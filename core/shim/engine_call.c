/* engine_call.c - what all calls to an engine have in common. */
#include "engine.h"

#include "clock.h"
#include "shim.h"

#define FIRST_REST (50 * XH_MS)
#define LAST_REST (2 * XH_SECOND)

void xh_engine_want(xh_engine *e, xh_engine_call which, uint64_t when) {
  xh_retry *r = &e->retry[which];
  if (when < r->not_before)
    when = r->not_before;
  r->at = xh_clock_first(r->at, when);
}

void xh_engine_rest(xh_engine *e, xh_engine_call which, uint64_t now) {
  xh_retry *r = &e->retry[which];
  if (r->delay == 0 || now > r->began + 2 * LAST_REST)
    r->delay = FIRST_REST;
  else
    r->delay = xh_clock_first(2 * r->delay, LAST_REST);
  r->not_before = now + r->delay;
  if (r->at != XH_NEVER && r->at < r->not_before)
    r->at = r->not_before;
}

void xh_engine_call_begin(xh_shim *s, xh_engine_call which, const char *method,
                          const char *rest, uint64_t expires) {
  const xh_engine_spec *spec = &s->spec.engine;
  char path[XH_CALL_MAX];
  xh_text out = {path, path + sizeof path - 1};
  xh_text_add(&out, "/v");
  xh_text_add(&out, spec->api);
  xh_text_add(&out, "/containers/");
  xh_text_add(&out, spec->container);
  xh_text_add(&out, rest);
  *out.at = '\0';
  s->engine->seen[which] = false;
  xh_call_begin(&s->engine->calls[which], spec->address, method, path, expires);
}

int xh_engine_failure(const xh_call *call) {
  const xh_response *answer = &call->answer;
  if (answer->head && answer->status >= 300 && answer->status != 304)
    return answer->status;
  return call->state == XH_CALL_FAILED ? call->error : 0;
}
