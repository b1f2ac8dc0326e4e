/* embed_host.c - the host's own thread: calls become tasks, and answers events. */
#include "embed.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

/* Calls that came while the host looked for them; then the loop has its turn. */
enum { MOST_IN_A_ROW = 16 };

static void unlink_call(xh_call *c) {
  c->previous->next = c->next;
  c->next->previous = c->previous;
}

static void answer(exhost_t *e, xh_call *c, int code, const char *json, size_t len,
                   int fd) {
  if (c == e->next_cancelled)
    e->next_cancelled = c->next;
  unlink_call(c);
  if (c == e->beginning)
    e->beginning = NULL;
  xh_mailbox_answer(&e->box, c, code, json, len, fd);
}

static void answer_cancelled(exhost_t *e, xh_call *c) {
  static const char TEXT[] =
    "{\"code\":\"cancelled\",\"message\":\"the host is closing\"}";
  answer(e, c, EXHOST_CANCELLED, TEXT, sizeof TEXT - 1, -1);
}

/* answer(call, code|nil, json, fd|nil): a call is answered once, by its task. */
static int lua_answer(lua_State *L) {
  exhost_t *e = lua_touserdata(L, lua_upvalueindex(1));
  xh_call *c = lua_touserdata(L, 1);
  size_t len;
  const char *json = luaL_checklstring(L, 3, &len);
  int code = lua_isnil(L, 2) ? EXHOST_OK : xh_embed_code(luaL_checkstring(L, 2));
  answer(e, c, code, json, len, (int)luaL_optinteger(L, 4, -1));
  return 0;
}

/* ready(on_call, on_cancel, on_close) */
static int lua_ready(lua_State *L) {
  exhost_t *e = lua_touserdata(L, lua_upvalueindex(1));
  for (int i = 0; i < HANDLERS; i++) {
    luaL_checktype(L, i + 1, LUA_TFUNCTION);
    xh_ref_set(&e->host.lua, L, &e->handlers[i], i + 1);
  }
  e->result = EXHOST_OK;
  return 0;
}

void xh_embed_explain(const exhost_options *o, const char *message) {
  if (o->error != NULL && o->error_size > 0)
    snprintf(o->error, o->error_size, "%s", message);
}

/* failed(code, message) */
static int lua_failed(lua_State *L) {
  exhost_t *e = lua_touserdata(L, lua_upvalueindex(1));
  e->result = xh_embed_code(luaL_checkstring(L, 1));
  xh_embed_explain(e->options, luaL_checkstring(L, 2));
  return 0;
}

/* log(level, message) */
static int lua_log(lua_State *L) {
  exhost_t *e = lua_touserdata(L, lua_upvalueindex(1));
  xh_lua_log(&e->host.lua, luaL_checkstring(L, 1), luaL_checkstring(L, 2));
  return 0;
}

static void push_options(lua_State *L, const exhost_options *o) {
  const struct {
    const char *name, *value;
  } texts[] = {
    {"state_dir", o->state_dir}, {"executor", o->executor_id}, {"backend", o->backend},
    {"lua_path", o->lua_path},   {"config", o->config},        {"ceiling", o->ceiling},
  };
  const struct {
    const char *name;
    int value;
  } flags[] = {{"serve", o->serve}, {"attach", o->attach}, {"strict", o->strict}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    lua_pushstring(L, texts[i].value); /* nil for NULL */
    lua_setfield(L, -2, texts[i].name);
  }
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    lua_pushboolean(L, flags[i].value);
    lua_setfield(L, -2, flags[i].name);
  }
}

/* options, {answer, ready, failed, log} */
static void push_arguments(lua_State *L, void *user) {
  exhost_t *e = user;
  const luaL_Reg functions[] = {{"answer", lua_answer},
                                {"ready", lua_ready},
                                {"failed", lua_failed},
                                {"log", lua_log}};
  push_options(L, e->options);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    lua_pushlightuserdata(L, e);
    lua_pushcclosure(L, functions[i].func, 1);
    lua_setfield(L, -2, functions[i].name);
  }
}

static void begin_call(exhost_t *e, xh_call *c) {
  xh_lua *x = &e->host.lua;
  c->next = &e->in_flight;
  c->previous = e->in_flight.previous;
  c->previous->next = e->in_flight.previous = c;
  xh_ref_push(x, &e->handlers[ON_CALL]);
  lua_pushlightuserdata(x->L, c);
  lua_pushstring(x->L, c->method);
  lua_pushlstring(x->L, c->json, c->len);
  if (c->timed)
    lua_pushnumber(x->L, c->timeout);
  else
    lua_pushnil(x->L);
  e->beginning = c;
  xh_lua_call(x, 4);
  if (e->beginning != NULL && c->waiter != NULL)
    xh_mailbox_settle(&e->box, c, NULL);
}

static void begin_cancel(exhost_t *e, const xh_call *cancel) {
  xh_lua *x = &e->host.lua;
  for (xh_call *c = e->in_flight.next; c != &e->in_flight; c = e->next_cancelled) {
    e->next_cancelled = c->next; /* c may answer at once, and others with it */
    if (c->tag != cancel->tag)
      continue;
    xh_ref_push(x, &e->handlers[ON_CANCEL]);
    lua_pushlightuserdata(x->L, c);
    xh_lua_call(x, 1);
  }
  e->next_cancelled = NULL;
}

static void stop_loop(uv_timer_t *timer) {
  uv_stop(timer->loop);
}

static void begin_close(exhost_t *e) {
  xh_lua *x = &e->host.lua;
  e->closed_lua = true;
  uv_unref((uv_handle_t *)&e->wake);
  if (e->close_within >= 0)
    uv_timer_start(&e->last_call, stop_loop, (uint64_t)e->close_within, 0);
  xh_ref_push(x, &e->handlers[ON_CLOSE]);
  xh_lua_call(x, 0);
}

static void take_calls(exhost_t *e, bool closing) {
  xh_mailbox_hold(&e->box);
  for (xh_call *c = xh_mailbox_take(&e->box, closing), *next; c != NULL; c = next) {
    next = c->next;
    if (!c->is_cancel) {
      begin_call(e, c);
    } else {
      begin_cancel(e, c);
      free(c);
    }
  }
  xh_mailbox_release(&e->box);
}

static void on_wake(uv_async_t *async) {
  exhost_t *e = async->data;
  bool closing = __atomic_load_n(&e->closing, __ATOMIC_ACQUIRE);
  take_calls(e, closing);
  for (int i = 0; i < MOST_IN_A_ROW && !closing && xh_mailbox_linger(&e->box); i++)
    take_calls(e, false);
  if (closing && !e->closed_lua)
    begin_close(e);
}

static int open_host(exhost_t *e, int log) {
  const exhost_options *o = e->options;
  if (o->has_log_fd && log < 0) {
    xh_embed_explain(o, "log_fd cannot be duplicated: is it open?");
    return EXHOST_INVALID;
  }
  Dl_info library;
  int err = UV_ENOENT;
  if (o->prefix != NULL)
    err = xh_paths_set(&e->paths, o->prefix);
  else if (dladdr((void *)(uintptr_t)&exhost_open, &library) != 0)
    err = xh_paths_above(&e->paths, library.dli_fname);
  if (err < 0) {
    xh_embed_explain(
      o, "find exhost's Lua files: set prefix to where exhost is installed");
    return EXHOST_NOT_FOUND;
  }
  err = xh_host_open(&e->host, &e->paths, NULL);
  if (err < 0) {
    xh_embed_explain(o, xh_error_text(err));
    return EXHOST_INTERNAL;
  }
  return EXHOST_OK;
}

static void close_handlers(exhost_t *e) {
  for (int i = 0; i < HANDLERS; i++)
    xh_ref_clear(&e->host.lua, &e->handlers[i]);
  uv_close((uv_handle_t *)&e->wake, NULL);
  uv_close((uv_handle_t *)&e->last_call, NULL);
}

static void enter_lua(exhost_t *e) {
  e->result = EXHOST_INTERNAL; /* unless Lua says otherwise */
  if (xh_host_enter(&e->host, "exhost.embed", push_arguments, e) != 0)
    xh_embed_explain(e->options, e->host.lua.error);
}

void *xh_embed_run(void *arg) {
  exhost_t *e = arg;
  const exhost_options *o = e->options;
  int log = o->has_log_fd ? fcntl(o->log_fd, F_DUPFD_CLOEXEC, 3) : -1;
  e->result = open_host(e, log);
  bool opened = e->result == EXHOST_OK;
  if (opened) {
    e->host.lua.log_fd = log;
    uv_async_init(&e->host.loop.uv, &e->wake, on_wake);
    uv_timer_init(&e->host.loop.uv, &e->last_call);
    uv_unref((uv_handle_t *)&e->last_call);
    e->wake.data = e;
    enter_lua(e);
  }
  bool serve = e->result == EXHOST_OK;
  pthread_barrier_wait(&e->opened);
  if (serve) {
    uv_run(&e->host.loop.uv, UV_RUN_DEFAULT);
    while (e->in_flight.next != &e->in_flight)
      answer_cancelled(e, e->in_flight.next);
  }
  if (opened) {
    close_handlers(e);
    xh_host_close(&e->host);
  }
  if (log >= 0)
    close(log);
  if (serve)
    xh_mailbox_end(&e->box);
  return NULL;
}
