/* host.c - opening, running and closing a host in the right order. */
#include "host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <luajit.h>
#include <lualib.h>

int luaopen_cjson(lua_State *L);

int xh_paths_set(xh_paths *out, const char *prefix) {
  int n = snprintf(out->share, sizeof out->share, "%s/share/exhost", prefix);
  int k = snprintf(out->libexec, sizeof out->libexec, "%s/libexec/exhost", prefix);
  if (n >= (int)sizeof out->share || k >= (int)sizeof out->libexec)
    return UV_ENAMETOOLONG;
  if (prefix[0] != '/')
    return UV_EINVAL;
  char lua[sizeof out->share + 32];
  snprintf(lua, sizeof lua, "%s/lua/exhost/embed.lua", out->share);
  return access(lua, R_OK) == 0 ? 0 : UV_ENOENT;
}

/* A multiarch library lies one folder deeper than another. */
int xh_paths_above(xh_paths *out, const char *file) {
  char path[PATH_MAX];
  if (realpath(file, path) == NULL)
    return -errno;
  for (char *slash; (slash = strrchr(path, '/')) != NULL && slash != path;) {
    *slash = '\0';
    if (xh_paths_set(out, path) == 0)
      return 0;
  }
  return UV_ENOENT;
}

int xh_paths_find(xh_paths *out) {
  char self[3900];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0)
    return -errno;
  self[n] = '\0';
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(self, '/');
    if (slash == NULL)
      return UV_ENOENT;
    *slash = '\0';
  }
  return xh_paths_set(out, self);
}

static const luaL_Reg MODULES[] = {
  {"exhost.loop", luaopen_exhost_loop},
  {"exhost.dir", luaopen_exhost_dir},
  {"exhost.http_core", luaopen_exhost_http},
  {"exhost.hijack", luaopen_exhost_hijack},
  {"exhost.json_core", luaopen_exhost_json_core},
  {"exhost.lines", luaopen_exhost_lines},
  {"exhost.listen", luaopen_exhost_listen},
  {"exhost.outlet", luaopen_exhost_outlet},
  {"exhost.process_core", luaopen_exhost_process},
  {"exhost.channel", luaopen_exhost_channel},
  {"exhost.collect", luaopen_exhost_collect},
  {"exhost.watch", luaopen_exhost_watch},
  {"exhost.logread", luaopen_exhost_logread},
  {"exhost.cgroup_core", luaopen_exhost_cgroup},
  {"exhost.system", luaopen_exhost_system},
  {"exhost.typed", luaopen_exhost_typed},
  {"cjson", luaopen_cjson},
  {NULL, NULL},
};

/* Modules compiled at build time (release builds) start five times faster. One that
 * this LuaJIT cannot load is skipped: the source is there, too. */
static int find_compiled(lua_State *L) {
  char path[4600];
  const char *share = lua_tostring(L, lua_upvalueindex(1));
  int n =
    snprintf(path, sizeof path, "%s/compiled/%s.luac", share, luaL_checkstring(L, 1));
  if (n >= (int)sizeof path)
    return 0;
  for (char *p = path + strlen(share) + sizeof "/compiled/" - 1; p < path + n - 5; p++)
    if (*p == '.')
      *p = '/';
  return luaL_loadfile(L, path) == 0 ? 1 : 0;
}

/* After the preloaded ones, before the sources. */
static void add_compiled_searcher(lua_State *L, const char *share) {
  lua_getfield(L, -1, "loaders");
  for (int i = (int)lua_objlen(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushstring(L, share);
  lua_pushcclosure(L, find_compiled, 1);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 1);
}

/* Modules are preloaded by C, so that none is first opened inside a coroutine, and
 * package.path holds absolute entries only: never code from the working folder. */
static int open_state(lua_State *L) {
  const xh_paths *paths = lua_touserdata(L, 2);
  char compiled[4200];
  snprintf(compiled, sizeof compiled, "%s/compiled", paths->share);
  luaL_openlibs(L);
  /* Compiled code lost fields of tables under memory pressure, about one run in ten of
   * spec/crash/state_spec.lua with EXHOST_GC_STRESS=1 (2.1.0-beta3 of 2022, Debian 12;
   * whatever jit.opt left out). Bytes stay in C, so the interpreter costs nothing that
   * spec/bench shows. */
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  xh_lua_attach(L, lua_touserdata(L, 1));
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  luaL_register(L, NULL, MODULES);
  const luaL_Reg *own = lua_touserdata(L, 3);
  if (own != NULL)
    luaL_register(L, NULL, own);
  lua_pop(L, 1);
  if (access(compiled, F_OK) == 0)
    add_compiled_searcher(L, paths->share);
  lua_pushfstring(L, "%s/lua/?.lua", paths->share);
  lua_setfield(L, -2, "path");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  lua_newtable(L);
  lua_pushstring(L, paths->share);
  lua_setfield(L, -2, "share");
  lua_pushstring(L, paths->libexec);
  lua_setfield(L, -2, "libexec");
  lua_pushliteral(L, XH_VERSION);
  lua_setfield(L, -2, "version");
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "loaded");
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "exhost.build");
  return 0;
}

static void tell_signal(uv_async_t *handle) {
  xh_host *host = handle->data;
  int signal = __atomic_exchange_n(&host->lua.signal, 0, __ATOMIC_ACQ_REL);
  if (signal == 0)
    return;
  xh_ref fn = {host->lua.interrupt};
  if (fn.slot == 0) {
    host->exit_code = 128 + signal;
    uv_stop(&host->loop.uv);
    return;
  }
  xh_ref_push(&host->lua, &fn);
  lua_pushinteger(host->lua.L, signal);
  xh_lua_call(&host->lua, 1);
}

int xh_host_open(xh_host *host, const xh_paths *paths, const luaL_Reg *own) {
  *host = (xh_host){.exit_code = 0};
  int err = xh_loop_open(&host->loop);
  if (err < 0)
    return err;
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    xh_loop_close(&host->loop);
    return UV_ENOMEM;
  }
  host->lua.L = L;
  host->lua.loop = &host->loop;
  uv_async_init(&host->loop.uv, &host->signals, tell_signal);
  host->signals.data = host;
  uv_unref((uv_handle_t *)&host->signals);
  lua_pushcfunction(L, open_state);
  lua_pushlightuserdata(L, &host->lua);
  lua_pushlightuserdata(L, (void *)paths);
  lua_pushlightuserdata(L, (void *)own);
  return xh_lua_call(&host->lua, 3) == 0 ? 0 : UV_ENOMEM;
}

int xh_host_signal(xh_host *host, int signal) {
  int told = __atomic_add_fetch(&host->lua.unheeded, 1, __ATOMIC_ACQ_REL);
  __atomic_store_n(&host->lua.signal, signal, __ATOMIC_RELEASE);
  uv_async_send(&host->signals);
  return told;
}

static int set_exit_code(lua_State *L) {
  xh_host *host = lua_touserdata(L, lua_upvalueindex(1));
  host->exit_code = (int)luaL_checkinteger(L, 1);
  return 0;
}

typedef struct entry {
  const char *module;
  xh_push_fn push;
  void *user;
} entry;

static int enter(lua_State *L) {
  const entry *e = lua_touserdata(L, 1);
  lua_getglobal(L, "require");
  lua_pushstring(L, e->module);
  lua_call(L, 1, 1);
  e->push(L, e->user);
  lua_call(L, 2, 0);
  return 0;
}

int xh_host_enter(xh_host *host, const char *module, xh_push_fn push, void *user) {
  entry e = {module, push, user};
  lua_pushcfunction(host->lua.L, enter);
  lua_pushlightuserdata(host->lua.L, &e);
  return xh_lua_call(&host->lua, 1);
}

typedef struct command_line {
  xh_host *host;
  char **argv;
} command_line;

/* argv, set_exit_code */
static void push_command_line(lua_State *L, void *user) {
  const command_line *c = user;
  lua_newtable(L);
  for (int i = 0; c->argv[i] != NULL; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_pushlightuserdata(L, c->host);
  lua_pushcclosure(L, set_exit_code, 1);
}

int xh_host_run(xh_host *host, const char *module, int argc, char **argv) {
  (void)argc;
  command_line c = {host, argv};
  host->exit_code = 125;
  if (xh_host_enter(host, module, push_command_line, &c) == 0)
    uv_run(&host->loop.uv, UV_RUN_DEFAULT);
  return host->exit_code;
}

int xh_host_close(xh_host *host) {
  xh_ref fn = {host->lua.interrupt};
  xh_ref_clear(&host->lua, &fn);
  uv_close((uv_handle_t *)&host->signals, NULL);
  /* What a script left open is closed by its __gc, while callbacks still find a
   * state; what core closes then runs to its end inside xh_loop_close(). */
  lua_close(host->lua.L);
  host->lua.L = NULL;
  return xh_loop_close(&host->loop);
}
