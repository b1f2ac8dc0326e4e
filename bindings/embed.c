/* embed.c - exhost.h: a host on a thread of its own, spoken to through a mailbox. */
#include "include/exhost.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "host.h"
#include "mailbox.h"

/* What Lua registers: on_call(call, method, json, timeout), on_cancel(call),
 * on_close(). */
enum { ON_CALL, ON_CANCEL, ON_CLOSE, HANDLERS };

struct exhost {
  xh_host host;
  xh_paths paths;
  xh_mailbox box;
  pthread_t thread;
  uv_async_t wake;
  uv_timer_t last_call; /* ends the loop when closing takes too long */
  xh_ref handlers[HANDLERS];
  xh_call *beginning;            /* unanswered so far; the host's thread only */
  xh_call in_flight;             /* head of a ring; the host's thread only */
  const exhost_options *options; /* only while exhost_open() runs */
  pthread_barrier_t opened;
  int result;       /* of opening */
  int close_within; /* ms; written before closing is set */
  bool closing;     /* atomic */
  bool closed_lua;
};

static const struct {
  const char *name;
  int code;
} CODES[] = {
  {"invalid", EXHOST_INVALID},
  {"not_found", EXHOST_NOT_FOUND},
  {"already_started", EXHOST_ALREADY_STARTED},
  {"already_completed", EXHOST_ALREADY_COMPLETED},
  {"denied", EXHOST_DENIED},
  {"unsupported", EXHOST_UNSUPPORTED},
  {"unavailable", EXHOST_UNAVAILABLE},
  {"engine", EXHOST_ENGINE},
  {"timeout", EXHOST_TIMEOUT},
  {"cancelled", EXHOST_CANCELLED},
  {"policy", EXHOST_POLICY},
  {"io", EXHOST_IO},
  {"internal", EXHOST_INTERNAL},
  {"no_memory", EXHOST_NO_MEMORY},
  {"closed", EXHOST_CLOSED},
};

const char *exhost_strerror(int code) {
  if (code == EXHOST_OK)
    return "ok";
  for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
    if (CODES[i].code == code)
      return CODES[i].name;
  return "unknown";
}

const char *exhost_version(void) {
  return XH_VERSION;
}

int exhost_api_version(void) {
  return EXHOST_API_VERSION;
}

static int code_of(const char *name) {
  for (size_t i = 0; name != NULL && i < sizeof CODES / sizeof *CODES; i++)
    if (strcmp(CODES[i].name, name) == 0)
      return CODES[i].code;
  return EXHOST_INTERNAL;
}

/* ------------------------------------------------------------- the host's thread */

static void unlink_call(xh_call *c) {
  c->previous->next = c->next;
  c->next->previous = c->previous;
}

static void answer(exhost_t *e, xh_call *c, int code, const char *json, size_t len,
                   int fd) {
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
  int code = lua_isnil(L, 2) ? EXHOST_OK : code_of(luaL_checkstring(L, 2));
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

static void explain(const exhost_options *o, const char *message) {
  if (o->error != NULL && o->error_size > 0)
    snprintf(o->error, o->error_size, "%s", message);
}

/* failed(code, message) */
static int lua_failed(lua_State *L) {
  exhost_t *e = lua_touserdata(L, lua_upvalueindex(1));
  e->result = code_of(luaL_checkstring(L, 1));
  explain(e->options, luaL_checkstring(L, 2));
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
    xh_mailbox_settle(c, NULL);
}

static void begin_cancel(exhost_t *e, const xh_call *cancel) {
  xh_lua *x = &e->host.lua;
  for (xh_call *c = e->in_flight.next, *next; c != &e->in_flight; c = next) {
    next = c->next; /* c may answer at once */
    if (c->tag != cancel->tag)
      continue;
    xh_ref_push(x, &e->handlers[ON_CANCEL]);
    lua_pushlightuserdata(x->L, c);
    xh_lua_call(x, 1);
  }
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

static void on_wake(uv_async_t *async) {
  exhost_t *e = async->data;
  bool closing = __atomic_load_n(&e->closing, __ATOMIC_ACQUIRE);
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
  if (closing && !e->closed_lua)
    begin_close(e);
}

static int open_host(exhost_t *e) {
  const exhost_options *o = e->options;
  Dl_info library;
  int err = UV_ENOENT;
  if (o->prefix != NULL)
    err = xh_paths_set(&e->paths, o->prefix);
  else if (dladdr((void *)(uintptr_t)&exhost_open, &library) != 0)
    err = xh_paths_above(&e->paths, library.dli_fname);
  if (err < 0) {
    explain(o, "find exhost's Lua files: set prefix to where exhost is installed");
    return EXHOST_NOT_FOUND;
  }
  err = xh_host_open(&e->host, &e->paths, NULL);
  if (err < 0) {
    explain(o, xh_error_text(err));
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
    explain(e->options, e->host.lua.error);
}

static void *run(void *arg) {
  exhost_t *e = arg;
  const exhost_options *o = e->options;
  int log = o->has_log_fd ? fcntl(o->log_fd, F_DUPFD_CLOEXEC, 3) : -1;
  e->result = open_host(e);
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

/* ----------------------------------------------------------- the embedder's side */

/* The thread inherits a mask with everything blocked: no signal of the embedder's is
 * ever delivered to it. */
static int start_thread(exhost_t *e) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&e->thread, NULL, run, e);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err == 0 ? EXHOST_OK : EXHOST_NO_MEMORY;
}

/* Options of a caller built against an older header are shorter, of a newer one longer:
 * what we do not know has to be zero. */
static int read_options(exhost_options *out, const exhost_options *options) {
  if (options == NULL || options->struct_size < offsetof(exhost_options, executor_id))
    return EXHOST_INVALID;
  size_t size = options->struct_size;
  for (size_t i = sizeof *out; i < size; i++)
    if (((const char *)options)[i] != 0)
      return EXHOST_INVALID;
  memset(out, 0, sizeof *out);
  memcpy(out, options, size < sizeof *out ? size : sizeof *out);
  return EXHOST_OK;
}

int exhost_open(const exhost_options *options, exhost_t **out) {
  exhost_options known;
  if (out == NULL || read_options(&known, options) < 0)
    return EXHOST_INVALID;
  *out = NULL;
  exhost_t *e = calloc(1, sizeof *e);
  if (e == NULL)
    return EXHOST_NO_MEMORY;
  e->in_flight.next = e->in_flight.previous = &e->in_flight;
  e->options = &known;
  if (xh_mailbox_open(&e->box) < 0) {
    free(e);
    explain(&known, "no descriptor is left");
    return EXHOST_IO;
  }
  pthread_barrier_init(&e->opened, NULL, 2);
  int result = start_thread(e);
  if (result == EXHOST_OK) {
    pthread_barrier_wait(&e->opened);
    result = e->result;
    if (result < 0)
      pthread_join(e->thread, NULL);
  }
  pthread_barrier_destroy(&e->opened);
  e->options = NULL;
  if (result < 0) {
    xh_mailbox_close(&e->box);
    free(e);
    return result;
  }
  *out = e;
  return EXHOST_OK;
}

static int queue(exhost_t *host, xh_call *c) {
  int result = xh_mailbox_queue(&host->box, c);
  if (result > 0)
    uv_async_send(&host->wake);
  return result < 0 ? result : EXHOST_OK;
}

int exhost_call(exhost_t *host, uint64_t tag, const char *method, const char *json,
                size_t len, int64_t timeout_ms) {
  int result;
  xh_call *c = xh_mailbox_make(tag, method, json, len, timeout_ms, &result);
  return c != NULL ? queue(host, c) : result;
}

int exhost_call_now(exhost_t *host, uint64_t tag, const char *method, const char *json,
                    size_t len, int64_t timeout_ms, exhost_event **event) {
  int result;
  xh_waiter waiter = {0};
  *event = NULL;
  xh_call *c = xh_mailbox_make(tag, method, json, len, timeout_ms, &result);
  if (c == NULL)
    return result;
  c->waiter = &waiter;
  result = queue(host, c);
  if (result == EXHOST_OK)
    *event = xh_mailbox_await(&waiter);
  return result;
}

int exhost_cancel(exhost_t *host, uint64_t tag) {
  xh_call *c = xh_mailbox_make_cancel(tag);
  return c != NULL ? queue(host, c) : EXHOST_NO_MEMORY;
}

int exhost_next(exhost_t *host, exhost_event **event, int timeout_ms) {
  return xh_mailbox_next(&host->box, event, timeout_ms);
}

int exhost_fd(exhost_t *host) {
  return fcntl(host->box.ready, F_DUPFD_CLOEXEC, 3);
}

void exhost_close(exhost_t *host, int timeout_ms) {
  if (host == NULL)
    return;
  host->close_within = timeout_ms;
  __atomic_store_n(&host->closing, true, __ATOMIC_RELEASE);
  uv_async_send(&host->wake);
  pthread_join(host->thread, NULL);
  xh_mailbox_drain(&host->box, timeout_ms);
  xh_mailbox_close(&host->box);
  free(host);
}
