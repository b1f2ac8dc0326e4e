/* lua_jsontidy.c - what cjson has read as exhost wants it: no nulls, arrays marked. */
#include <math.h>
#include <string.h>

#include "lua_json.h"

void xh_json_note_key(lua_State *L, int path) {
  if (lua_isnil(L, path)) {
    lua_newtable(L);
    lua_replace(L, path);
  }
  lua_rawseti(L, path, (int)lua_objlen(L, path) + 1);
}

static const char *tidy(lua_State *L);

/* Check the item on top of the stack, of a table below it. */
static const char *tidy_item(lua_State *L) {
  switch (lua_type(L, -1)) {
  case LUA_TTABLE:
    return tidy(L);
  case LUA_TNUMBER:
    return isinf(lua_tonumber(L, -1)) ? "the number is too big" : NULL;
  case LUA_TLIGHTUSERDATA:
    return "null in an array";
  default:
    return NULL;
  }
}

static const char *tidy_list(lua_State *L) {
  int count = (int)lua_objlen(L, -1);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    const char *why = tidy_item(L);
    lua_pop(L, 1);
    if (why != NULL) {
      lua_pushinteger(L, i);
      xh_json_note_key(L, 2);
      return why;
    }
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return NULL;
}

static const char *tidy_object(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    const char *why = NULL;
    if (lua_islightuserdata(L, -1)) { /* null: the member goes */
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, -5);
    } else {
      why = tidy_item(L);
    }
    lua_pop(L, 1);
    if (why != NULL) {
      xh_json_note_key(L, 2);
      return why;
    }
  }
  return NULL;
}

/* Of the table on top of the stack, which stays: drop nulls, mark arrays. cjson has
 * limited its depth. */
static const char *tidy(lua_State *L) {
  luaL_checkstack(L, 8, "JSON");
  lua_rawgeti(L, -1, 1);
  bool list = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return list ? tidy_list(L) : tidy_object(L);
}

int xh_json_tidy(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  const char *why = tidy(L);
  if (why == NULL)
    return 0;
  lua_pushstring(L, why);
  lua_pushvalue(L, 2);
  return 2;
}

static bool holds(const char *text, size_t len, const char *part) {
  return memmem(text, len, part, strlen(part)) != NULL;
}

int xh_json_is_plain(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  lua_pushboolean(L, memchr(text, '\0', len) == NULL && text[0] != '\xef' &&
                       !holds(text, len, "007199254740993") &&
                       !holds(text, len, "9007199254740992."));
  return 1;
}
