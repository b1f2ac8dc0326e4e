/* lua_watch.c - module exhost.watch: told when names appear or change in a folder. */
#include "lua.h"

#include "watch.h"

static const char WATCH_TYPE[] = "exhost.watch";

typedef struct watch_box {
  xh_watch *w; /* NULL once closed */
  xh_lua *x;
  xh_ref self, fn;
} watch_box;

static void watch_end(watch_box *box) {
  xh_watch_close(box->w);
  box->w = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void changed(xh_watch *w, int what, const char *name, void *user) {
  (void)w;
  watch_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  if (what & (XH_WATCH_GONE | XH_WATCH_LOST))
    lua_pushnil(x->L);
  else
    lua_pushstring(x->L, name);
  lua_pushboolean(x->L, what & XH_WATCH_GONE);
  if (what & XH_WATCH_GONE)
    watch_end(box);
  xh_lua_call(x, 2);
}

/* open(dir, fn(name|nil, gone) [, modified]) -> watch. fn gets the name that was made,
 * linked or renamed in (or written to, with `modified`), or nil: look at everything
 * (the folder is gone, which ends the watch, or the kernel dropped reports). */
static int watch_open(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  int what = XH_WATCH_APPEARED | (lua_toboolean(L, 3) ? XH_WATCH_MODIFIED : 0);
  watch_box *box = lua_newuserdata(L, sizeof *box);
  *box = (watch_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, WATCH_TYPE);
  lua_setmetatable(L, -2);
  int err = xh_watch_open(&box->w, box->x->loop, dir, what, changed, box);
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->fn, 2);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* watch:close(): fn is not called any more. Any number of times. */
static int watch_close(lua_State *L) {
  watch_end(luaL_checkudata(L, 1, WATCH_TYPE));
  return 0;
}

static const luaL_Reg METHODS[] = {{"close", watch_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", watch_open}, {NULL, NULL}};

int luaopen_exhost_watch(lua_State *L) {
  xh_new_type(L, WATCH_TYPE, METHODS, watch_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
