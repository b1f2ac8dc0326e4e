/* lua_json.h - the two halves of module exhost.json_core. */
#ifndef XH_LUA_JSON_H
#define XH_LUA_JSON_H

#include "lua.h"

/* The key on top of the stack, which is popped, is the next one outwards of a failure's
 * path. Its table lies at `path`, nil before the first. May raise. */
void xh_json_note_key(lua_State *L, int path);

/* tidy(table that cjson made) -> nothing | reason, path. Its upvalue: the metatable of
 * arrays. */
int xh_json_tidy(lua_State *L);

/* is_plain(text) -> boolean: cjson sees nothing else in it than exhost would: no byte
 * order mark, no NUL, no number that a double has only nearly. */
int xh_json_is_plain(lua_State *L);

#endif
