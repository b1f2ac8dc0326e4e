/* lua_process.c - module exhost.process_core: start a program, be told its end. */
#include "lua.h"

#include <string.h>

#include "process.h"

static const char PROCESS_TYPE[] = "exhost.process";

enum { MAX_FDS = 16 };

typedef struct process_box {
  xh_process *p; /* NULL once released */
  xh_lua *x;
  xh_ref self, on_exit;
} process_box;

static void release(process_box *box) {
  xh_process_release(box->p);
  box->p = NULL;
  xh_ref_clear(box->x, &box->on_exit);
  xh_ref_clear(box->x, &box->self);
}

static void process_exited(xh_process *p, int status, int signal, void *user) {
  (void)p;
  process_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->on_exit);
  release(box);
  lua_pushinteger(x->L, status);
  lua_pushinteger(x->L, signal);
  xh_lua_call(x, 2);
}

/* Strings of the list field as a NULL-terminated block that Lua owns (left on the
 * stack). The table keeps the strings alive. May raise. */
static char **string_list(lua_State *L, int index, const char *field) {
  lua_getfield(L, index, field);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  size_t n = lua_objlen(L, -1);
  char **list = lua_newuserdata(L, (n + 1) * sizeof *list);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, -2, (int)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "%s[%d]: expected a string, got %s", field, (int)i + 1,
                 luaL_typename(L, -1));
    list[i] = (char *)lua_tostring(L, -1);
    if (strlen(list[i]) != lua_objlen(L, -1))
      luaL_error(L, "%s[%d]: holds a NUL", field, (int)i + 1);
    lua_pop(L, 1);
  }
  list[n] = NULL;
  return list;
}

/* Field fds: { [target] = source number }. May raise. */
static size_t fd_list(lua_State *L, int index, xh_spawn_fd fds[MAX_FDS]) {
  size_t n = 0;
  lua_getfield(L, index, "fds");
  if (!lua_isnil(L, -1)) {
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
      if (n == MAX_FDS)
        luaL_error(L, "fds: at most %d descriptors", MAX_FDS);
      fds[n++] = (xh_spawn_fd){.source = (int)luaL_checkinteger(L, -1),
                               .target = (int)luaL_checkinteger(L, -2)};
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return n;
}

/* spawn{file=, argv={…}, env={"K=V",…}, fds={[3]=n}, on_exit=fn(status, signal)}
 * -> process. Without on_exit the program is still reaped. */
static int process_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  xh_spawn_fd fds[MAX_FDS];
  xh_spawn_options o = {.struct_size = sizeof o, .fds = fds, .on_exit = process_exited};
  o.file = xh_opt_string(L, 1, "file");
  luaL_argcheck(L, o.file != NULL, 1, "file: expected a path");
  o.argv = string_list(L, 1, "argv");
  luaL_argcheck(L, o.argv[0] != NULL, 1, "argv: expected at least one word");
  o.envp = string_list(L, 1, "env");
  o.fd_count = fd_list(L, 1, fds);
  lua_getfield(L, 1, "on_exit");
  int on_exit = lua_gettop(L);
  if (!lua_isnil(L, on_exit))
    luaL_checktype(L, on_exit, LUA_TFUNCTION);
  process_box *box = lua_newuserdata(L, sizeof *box);
  *box = (process_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, PROCESS_TYPE);
  lua_setmetatable(L, -2);
  o.user = box;
  int err = xh_process_spawn(&box->p, &box->x->loop->uv, &o);
  if (err < 0)
    return xh_push_error(L, err);
  if (lua_isnil(L, on_exit)) {
    lua_pushinteger(L, xh_process_pid(box->p));
    release(box);
    return 1;
  }
  xh_ref_set(box->x, L, &box->on_exit, on_exit);
  xh_ref_set(box->x, L, &box->self, -1); /* alive while the program runs */
  return 1;
}

static process_box *check_process(lua_State *L) {
  return luaL_checkudata(L, 1, PROCESS_TYPE);
}

/* process:pid() -> number, or nil once it was released or has ended. */
static int process_pid(lua_State *L) {
  process_box *box = check_process(L);
  if (box->p == NULL)
    return 0;
  lua_pushinteger(L, xh_process_pid(box->p));
  return 1;
}

/* process:signal(number); ESRCH once it has ended. */
static int process_signal(lua_State *L) {
  process_box *box = check_process(L);
  int signal = (int)luaL_checkinteger(L, 2);
  return xh_push_result(L,
                        box->p == NULL ? UV_ESRCH : xh_process_signal(box->p, signal));
}

/* process:release(): on_exit is not called any more; the program runs on. */
static int process_release(lua_State *L) {
  process_box *box = check_process(L);
  if (box->p != NULL)
    release(box);
  return 0;
}

static const luaL_Reg METHODS[] = {{"pid", process_pid},
                                   {"signal", process_signal},
                                   {"release", process_release},
                                   {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"spawn", process_spawn}, {NULL, NULL}};

int luaopen_exhost_process(lua_State *L) {
  xh_new_type(L, PROCESS_TYPE, METHODS, process_release);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
