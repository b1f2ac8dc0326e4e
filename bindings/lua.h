/* lua.h - what the bindings share: the state, references, errors, the doorway.
 *
 * Rules (they hold for every file here):
 * - a Lua function checks all its arguments, then creates its userdata, then
 *   acquires; after acquiring it calls nothing that can raise but xh_ref_set, which
 *   raises only when memory is gone;
 * - a callback from core enters Lua by xh_lua_call() and by nothing else;
 * - a reference is taken back before the call it was kept for. */
#ifndef XH_LUA_H
#define XH_LUA_H

#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "buffer.h"
#include "loop.h"

typedef struct xh_typed xh_typed; /* lua_typed.c */

typedef struct xh_lua {
  lua_State *L; /* NULL once it was closed */
  xh_loop *loop;
  xh_typed *typed;  /* NULL until somebody types code */
  uint64_t entries; /* calls into Lua so far */
  int signal;       /* the last one that the script was not told yet; atomic */
  int unheeded;     /* signals since the script said that it heeds them; atomic */
  int refs;         /* references held by C; 0 when everything was closed */
  int interrupt;    /* slot of the function told about signals, 0 = none */
  bool stopping;    /* the script has ended: callbacks are dropped */
  int log_fd;       /* for JSON lines about defects; 0: stderr, in words; -1: nowhere */
  char error[1024]; /* the last error that reached the doorway */
} xh_lua;

typedef struct xh_ref {
  int slot; /* 0 = empty */
} xh_ref;

/* The xh_lua of a state. */
xh_lua *xh_lua_from(lua_State *L);
void xh_lua_attach(lua_State *L, xh_lua *x);

/* Keep the value at index. May raise (out of memory). */
void xh_ref_set(xh_lua *x, lua_State *L, xh_ref *ref, int index);
/* Push the value (nil when empty) on x->L. */
void xh_ref_push(xh_lua *x, const xh_ref *ref);
/* Forget it. Safe when empty; never raises. */
void xh_ref_clear(xh_lua *x, xh_ref *ref);

/* Call the function below nargs arguments on x->L and drop its results. Never
 * raises: an error is kept in x->error and printed. Returns 0 or a Lua error. */
int xh_lua_call(xh_lua *x, int nargs);

/* A line in the host's own log. level: "error", "info". Never raises. */
void xh_lua_log(const xh_lua *x, const char *level, const char *message);

/* Push nil, "ENOENT: no such file or directory", "ENOENT"; returns 3. */
int xh_push_error(lua_State *L, int err);

/* Push true, or the three values of xh_push_error() when err is negative. */
int xh_push_result(lua_State *L, int err);

/* Register a metatable with methods and a __gc that scripts cannot see. */
void xh_new_type(lua_State *L, const char *name, const luaL_Reg *methods,
                 lua_CFunction gc);

/* An xh_buffer that Lua frees, also when something raises. May raise. */
xh_buffer *xh_lua_buffer(lua_State *L);

/* A string argument for C: of one that holds a NUL, C would see another name, so
 * the answer is then "", which is no name and no path to anybody. May raise. */
const char *xh_check_name(lua_State *L, int index);

/* The directory descriptor of a `dir` argument (lua_dir.c). May raise. */
int xh_check_dir(lua_State *L, int index);

/* An optional field of the table at index. They may raise on a wrong type. */
lua_Number xh_opt_number(lua_State *L, int index, const char *field,
                         lua_Number otherwise);
bool xh_opt_boolean(lua_State *L, int index, const char *field);
const char *xh_opt_string(lua_State *L, int index, const char *field);

int luaopen_exhost_http(lua_State *L);
int luaopen_exhost_hijack(lua_State *L);
int luaopen_exhost_json_core(lua_State *L);
int luaopen_exhost_lines(lua_State *L);
int luaopen_exhost_listen(lua_State *L);
int luaopen_exhost_loop(lua_State *L);
int luaopen_exhost_dir(lua_State *L);
int luaopen_exhost_outlet(lua_State *L);
int luaopen_exhost_process(lua_State *L);
int luaopen_exhost_channel(lua_State *L);
int luaopen_exhost_collect(lua_State *L);
int luaopen_exhost_watch(lua_State *L);
int luaopen_exhost_logread(lua_State *L);
int luaopen_exhost_cgroup(lua_State *L);
int luaopen_exhost_system(lua_State *L);
int luaopen_exhost_typed(lua_State *L);
int luaopen_exhost_edit(lua_State *L); /* in the command only */

#endif
