/* lua_loop.c - module exhost.loop: timers, clocks, deferred calls, interrupts. */
#include "lua.h"

#include <stdlib.h>

#include "logline.h"

static const char TIMER_TYPE[] = "exhost.timer";

typedef struct timer_box {
  uv_timer_t *timer; /* NULL once stopped or fired; freed by its close callback */
  xh_lua *x;
  xh_ref self, fn;
} timer_box;

static void timer_closed(uv_handle_t *handle) {
  free(handle);
}

static void timer_end(timer_box *box) {
  if (box->timer == NULL)
    return;
  uv_close((uv_handle_t *)box->timer, timer_closed);
  box->timer = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void timer_fired(uv_timer_t *timer) {
  timer_box *box = timer->data;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  timer_end(box);
  xh_lua_call(x, 0);
}

/* timer(seconds, fn) -> timer. fn is called once, on the loop. */
static int loop_timer(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  timer_box *box = lua_newuserdata(L, sizeof *box);
  *box = (timer_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, TIMER_TYPE);
  lua_setmetatable(L, -2);
  uv_timer_t *timer = malloc(sizeof *timer);
  if (timer == NULL)
    return xh_push_error(L, UV_ENOMEM);
  uv_timer_init(&box->x->loop->uv, timer);
  timer->data = box;
  box->timer = timer;
  /* At least 1 ms: libuv runs a timer of 0 that a timer's call sets in the same
   * round, and two that go on like that would keep it from its descriptors. */
  double ms = seconds > 0.001 ? seconds * 1000 : 1;
  uint64_t whole = ms < 1e15 ? (uint64_t)ms : UINT64_C(1000000000000000);
  uv_update_time(&box->x->loop->uv);
  /* Rounded up: a deadline never fires early. */
  uv_timer_start(timer, timer_fired, whole + ((double)whole < ms ? 1 : 0), 0);
  xh_ref_set(box->x, L, &box->fn, 2);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* timer:stop(). Any number of times; fn is not called any more. */
static int timer_stop(lua_State *L) {
  timer_end(luaL_checkudata(L, 1, TIMER_TYPE));
  return 0;
}

typedef struct turn {
  uv_idle_t idle;
  xh_lua *x;
  xh_ref fn;
} turn;

static void turn_closed(uv_handle_t *handle) {
  free(handle->data);
}

static void turn_came(uv_idle_t *idle) {
  turn *t = idle->data;
  xh_lua *x = t->x;
  xh_ref fn = t->fn;
  uv_close((uv_handle_t *)idle, turn_closed);
  if (x->L == NULL)
    return;
  xh_ref_push(x, &fn);
  xh_ref_clear(x, &fn);
  xh_lua_call(x, 0);
}

/* next_turn(fn): in the loop's next round, when every descriptor and timer had its
 * turn. Timers cannot do that: some that run long are due again in the same round. */
static int loop_next_turn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  turn *t = malloc(sizeof *t);
  if (t == NULL)
    return xh_push_error(L, UV_ENOMEM);
  *t = (turn){.x = xh_lua_from(L)};
  uv_idle_init(&t->x->loop->uv, &t->idle);
  t->idle.data = t;
  uv_idle_start(&t->idle, turn_came);
  xh_ref_set(t->x, L, &t->fn, 1);
  lua_pushboolean(L, 1);
  return 1;
}

/* now() -> seconds of a monotonic clock. */
static int loop_now(lua_State *L) {
  lua_pushnumber(L, (double)uv_hrtime() / 1e9);
  return 1;
}

/* time() -> seconds since 1970 with fraction (to the microsecond). */
static int loop_time(lua_State *L) {
  lua_pushnumber(L, (double)(xh_realtime_ns() / 1000) / 1e6);
  return 1;
}

/* timestamp() -> "2026-01-02T03:04:05.000000006Z", the time of day. */
static int loop_timestamp(lua_State *L) {
  char text[31];
  xh_rfc3339(xh_realtime_ns(), text);
  lua_pushstring(L, text);
  return 1;
}

/* boottime(seconds) -> CLOCK_BOOTTIME so many seconds from now, in whole ns as text:
 * nanoseconds do not fit a Lua number. */
static int loop_boottime(lua_State *L) {
  double ahead = luaL_optnumber(L, 1, 0) * 1e9;
  char text[24];
  int64_t ns = ahead < 9e18 ? xh_boottime_ns() + (int64_t)ahead : INT64_MAX;
  snprintf(text, sizeof text, "%lld", (long long)(ns > 0 ? ns : INT64_MAX));
  lua_pushstring(L, text);
  return 1;
}

/* on_interrupt(fn|nil): fn(signal number) for signals the command was sent. */
static int loop_on_interrupt(lua_State *L) {
  xh_lua *x = xh_lua_from(L);
  xh_ref old = {x->interrupt};
  if (!lua_isnoneornil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  xh_ref_clear(x, &old);
  x->interrupt = 0;
  if (!lua_isnoneornil(L, 1)) {
    xh_ref fresh = {0};
    xh_ref_set(x, L, &fresh, 1);
    x->interrupt = fresh.slot;
  }
  return 0;
}

/* heed(): the signals so far were answered. Without it, one that is told of too many is
 * taken for deaf and is ended. */
static int loop_heed(lua_State *L) {
  __atomic_store_n(&xh_lua_from(L)->unheeded, 0, __ATOMIC_RELEASE);
  return 0;
}

/* refs() -> how many Lua values C holds (specs look for leaks). */
static int loop_refs(lua_State *L) {
  lua_pushinteger(L, xh_lua_from(L)->refs);
  return 1;
}

/* step() -> boolean: run what is ready, waiting for something if nothing is; false
 * when nothing is left to wait for. For a script's main chunk (specs) only. */
static int loop_step(lua_State *L) {
  lua_pushboolean(L, uv_run(&xh_lua_from(L)->loop->uv, UV_RUN_ONCE) != 0);
  return 1;
}

static const luaL_Reg TIMER_METHODS[] = {{"stop", timer_stop}, {NULL, NULL}};
/* look(): something was answered. Where that came soon after the last one the loop
 * looks for more, for 50 us, before it sleeps. */
static int loop_look(lua_State *L) {
  xh_loop_look(xh_lua_from(L)->loop);
  return 0;
}

static const luaL_Reg FUNCTIONS[] = {
  {"timer", loop_timer},         {"look", loop_look},
  {"next_turn", loop_next_turn}, {"now", loop_now},
  {"time", loop_time},           {"timestamp", loop_timestamp},
  {"boottime", loop_boottime},   {"on_interrupt", loop_on_interrupt},
  {"heed", loop_heed},           {"refs", loop_refs},
  {"step", loop_step},           {NULL, NULL},
};

int luaopen_exhost_loop(lua_State *L) {
  xh_new_type(L, TIMER_TYPE, TIMER_METHODS, timer_stop);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
