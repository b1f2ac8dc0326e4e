/* lua_dirfile.c - module exhost.dir: the files below a folder, read and written. */
#include "lua_dir.h"

#include <math.h>
#include <string.h>

#include "file.h"
#include "members.h"

enum { DEFAULT_MAX_READ = 64 * 1024 * 1024, MEMBERS_MOST = 16 * 1024 };

/* dir:read(name [, max bytes]) -> string */
int xh_lua_dir_read(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  lua_Number max = luaL_optnumber(L, 3, DEFAULT_MAX_READ);
  luaL_argcheck(L, max >= 0 && max <= 1e15, 3, "out of range");
  xh_buffer *content = xh_lua_buffer(L);
  int err = xh_file_read(dir, name, (size_t)max, content);
  if (err < 0)
    return xh_push_error(L, err);
  lua_pushlstring(L, content->data != NULL ? content->data : "", content->len);
  xh_buffer_free(content);
  return 1;
}

typedef struct members_into {
  lua_State *L;
  int keys, into; /* indices of the caller's tables */
  bool plain;
} members_into;

/* A value on the stack, or nothing when it is none that is plain. */
static bool push_plain(lua_State *L, const xh_member *m) {
  lua_pushlstring(L, m->value, m->kind == XH_MEMBER_OTHER ? 0 : m->len);
  if (m->kind == XH_MEMBER_TEXT)
    return true;
  const char *word = lua_tostring(L, -1);
  lua_Number number = lua_tonumber(L, -1); /* whatever the locale */
  bool digits = strspn(word, "0123456789+-.eE") == m->len && lua_isnumber(L, -1);
  bool yes = strcmp(word, "true") == 0, no = strcmp(word, "false") == 0;
  bool plain = m->kind == XH_MEMBER_WORD &&
               ((digits && isfinite(number)) || yes || no || strcmp(word, "null") == 0);
  lua_pop(L, 1);
  if (plain && digits)
    lua_pushnumber(L, number);
  else if (plain && (yes || no))
    lua_pushboolean(L, yes);
  else if (plain)
    lua_pushnil(L);
  return plain;
}

static void keep_member(const xh_member *m, void *user) {
  members_into *t = user;
  lua_pushlstring(t->L, m->name, m->name_len);
  lua_pushvalue(t->L, -1);
  lua_rawget(t->L, t->keys);
  bool wanted = lua_toboolean(t->L, -1);
  lua_pop(t->L, 1);
  if (wanted && push_plain(t->L, m)) {
    lua_rawset(t->L, t->into);
    return;
  }
  lua_pop(t->L, 1);
  if (wanted)
    t->plain = false;
}

/* dir:members(name, keys, into) -> true: puts those members of the JSON object in that
 * file that are keys of `keys` into `into`. False when one of them is not plain (a
 * table, a string with escapes), or the file is no object or a long one: then read it
 * as a whole. */
int xh_lua_dir_members(lua_State *L) {
  char text[MEMBERS_MOST];
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  members_into t = {.L = L, .keys = 3, .into = 4, .plain = true};
  ssize_t n = xh_file_read_at(dir, name, 0, text, sizeof text);
  if (n < 0)
    return xh_push_error(L, (int)n);
  bool whole =
    (size_t)n < sizeof text && xh_members_scan(text, (size_t)n, keep_member, &t) == 0;
  lua_pushboolean(L, whole && t.plain);
  return 1;
}

/* dir:read_at(name, offset, len) -> string; a negative offset counts from the end. */
int xh_lua_dir_read_at(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  lua_Number offset = luaL_checknumber(L, 3);
  lua_Number len = luaL_checknumber(L, 4);
  luaL_argcheck(L, offset >= -1e15 && offset <= 1e15, 3, "out of range");
  luaL_argcheck(L, len >= 0 && len <= DEFAULT_MAX_READ, 4, "out of range");
  char *bytes = lua_newuserdata(L, (size_t)len > 0 ? (size_t)len : 1);
  ssize_t n = xh_file_read_at(dir, name, (off_t)offset, bytes, (size_t)len);
  if (n < 0)
    return xh_push_error(L, (int)n);
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* dir:write(name, data): the file is replaced as a whole. */
int xh_lua_dir_write(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L, xh_file_write(dir, name, data, len));
}

/* dir:create(name, data): not atomic, for a folder that nobody else looks at yet. */
int xh_lua_dir_create(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L, xh_file_create(dir, name, data, len));
}

/* dir:link_once(name, data): EEXIST when somebody was first. */
int xh_lua_dir_link_once(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L, xh_file_link_once(dir, name, data, len, false));
}

/* dir:append(name, data [, limit]) -> true, or false when it would pass the limit. */
int xh_lua_dir_append(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  int done = xh_file_append(dir, name, data, len, (off_t)luaL_optnumber(L, 4, 0));
  if (done < 0)
    return xh_push_error(L, done);
  lua_pushboolean(L, done);
  return 1;
}
