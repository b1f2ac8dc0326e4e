/* lua_cgroup.c - module exhost.cgroup_core: the files of control groups. */
#include "lua.h"

#include "cgroup.h"

/* version(root) -> 0, 1 or 2 */
static int cgroup_version(lua_State *L) {
  lua_pushinteger(L, xh_cgroup_version(xh_check_name(L, 1)));
  return 1;
}

/* make(root, path [, enable]) */
static int cgroup_make(lua_State *L) {
  const char *root = xh_check_name(L, 1), *path = xh_check_name(L, 2);
  return xh_push_result(L, xh_cgroup_make(root, path, luaL_optstring(L, 3, NULL)));
}

/* write(path, file, value) */
static int cgroup_write(lua_State *L) {
  const char *path = xh_check_name(L, 1), *file = xh_check_name(L, 2);
  return xh_push_result(L, xh_cgroup_write(path, file, luaL_checkstring(L, 3)));
}

/* read(path, file) -> string */
static int cgroup_read(lua_State *L) {
  const char *path = xh_check_name(L, 1), *file = xh_check_name(L, 2);
  xh_buffer *content = xh_lua_buffer(L);
  int err = xh_cgroup_read(path, file, content);
  if (err < 0)
    return xh_push_error(L, err);
  lua_pushlstring(L, content->data != NULL ? content->data : "", content->len);
  return 1;
}

/* kill(path) -> number of processes found */
static int cgroup_kill(lua_State *L) {
  int found = xh_cgroup_kill(xh_check_name(L, 1));
  if (found < 0)
    return xh_push_error(L, found);
  lua_pushinteger(L, found);
  return 1;
}

/* remove(path) */
static int cgroup_remove(lua_State *L) {
  return xh_push_result(L, xh_cgroup_remove(xh_check_name(L, 1)));
}

static const luaL_Reg FUNCTIONS[] = {
  {"version", cgroup_version},
  {"make", cgroup_make},
  {"write", cgroup_write},
  {"read", cgroup_read},
  {"kill", cgroup_kill},
  {"remove", cgroup_remove},
  {NULL, NULL},
};

int luaopen_exhost_cgroup(lua_State *L) {
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
