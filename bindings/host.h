/* host.h - a Lua state on a loop: what the command and the library are made of. */
#ifndef XH_HOST_H
#define XH_HOST_H

#include "lua.h"

typedef struct xh_host {
  xh_loop loop;
  xh_lua lua;
  uv_async_t signals; /* the main thread's way in */
  int exit_code;
} xh_host;

/* Where Lua files, programs and examples are: an installed prefix or a build folder. */
typedef struct xh_paths {
  char share[4096];   /* <prefix>/share/exhost: lua/, backends/, policies/, examples/ */
  char libexec[4096]; /* <prefix>/libexec/exhost: exhost-shim */
} xh_paths;

/* Find them from the running program's own place. Returns 0 or a negative error. */
int xh_paths_find(xh_paths *out);

/* Find them from the place of a file (the library): share/exhost/lua beside one of the
 * folders above it. UV_ENOENT when there is none. */
int xh_paths_above(xh_paths *out, const char *file);

/* Set them from a prefix, absolute. UV_ENOENT when exhost's Lua files are not there. */
int xh_paths_set(xh_paths *out, const char *prefix);

/* Open the loop and the Lua state with all modules, and `own` (or NULL): a program's
 * own. Returns 0 or a negative error. */
int xh_host_open(xh_host *host, const xh_paths *paths, const luaL_Reg *own);

/* Push the two arguments of a module's function. It may raise. */
typedef void (*xh_push_fn)(lua_State *L, void *user);

/* require(module)(two arguments). Returns 0 or a Lua error, kept in host->lua.error. */
int xh_host_enter(xh_host *host, const char *module, xh_push_fn push, void *user);

/* Run `require(module)(args)` and then the loop until nothing is left to wait for.
 * Returns the exit code that the script set by its answer. */
int xh_host_run(xh_host *host, const char *module, int argc, char **argv);

/* From any thread: tell the script about a signal. Returns how many it was told of
 * since it last said that it heeds them (loop.heed). */
int xh_host_signal(xh_host *host, int signal);

/* Returns 0, or UV_EBUSY when something was left open (a defect). */
int xh_host_close(xh_host *host);

#endif
