/* lua_http.h - clients of an engine, as other modules take them. */
#ifndef XH_LUA_HTTP_H
#define XH_LUA_HTTP_H

#include "http.h"
#include "lua.h"

/* The client at this index, or an error; NULL once it is closed. */
xh_http *xh_check_http(lua_State *L, int index);

#endif
