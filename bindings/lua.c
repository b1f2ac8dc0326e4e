/* lua.c - the one doorway into Lua, counted references, errors as values. */
#include "lua.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lualib.h>

#include "error.h"
#include "logline.h"

static const char REGISTRY_KEY = 0;
static const char BUFFER_TYPE[] = "exhost.buffer";

xh_lua *xh_lua_from(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&REGISTRY_KEY);
  lua_rawget(L, LUA_REGISTRYINDEX);
  xh_lua *x = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return x;
}

static int free_buffer(lua_State *L) {
  xh_buffer_free(lua_touserdata(L, 1));
  return 0;
}

void xh_lua_attach(lua_State *L, xh_lua *x) {
  lua_pushlightuserdata(L, (void *)&REGISTRY_KEY);
  lua_pushlightuserdata(L, x);
  lua_rawset(L, LUA_REGISTRYINDEX);
  xh_new_type(L, BUFFER_TYPE, NULL, free_buffer);
}

void xh_ref_set(xh_lua *x, lua_State *L, xh_ref *ref, int index) {
  lua_pushvalue(L, index);
  ref->slot = luaL_ref(L, LUA_REGISTRYINDEX);
  x->refs++;
}

void xh_ref_push(xh_lua *x, const xh_ref *ref) {
  if (ref->slot > 0)
    lua_rawgeti(x->L, LUA_REGISTRYINDEX, ref->slot);
  else
    lua_pushnil(x->L);
}

void xh_ref_clear(xh_lua *x, xh_ref *ref) {
  if (ref->slot <= 0)
    return;
  luaL_unref(x->L, LUA_REGISTRYINDEX, ref->slot);
  ref->slot = 0;
  x->refs--;
}

/* Error objects may be tables (busted's are): name their kind, keep the trace. */
static int traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_isstring(L, -1))
      return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* JSON's escapes for what may stand in a message; bytes that are no UTF-8 are its
 * reader's business. */
static size_t escape(char *out, size_t room, const char *text) {
  size_t n = 0;
  for (const char *p = text; *p != '\0' && n + 7 < room; p++) {
    if (*p == '"' || *p == '\\')
      out[n++] = '\\';
    if ((unsigned char)*p < 0x20)
      n += (size_t)snprintf(out + n, room - n, "\\u%04x", (unsigned)*p);
    else
      out[n++] = *p;
  }
  return n;
}

void xh_lua_log(const xh_lua *x, const char *level, const char *message) {
  char line[2600], time[31];
  if (x->log_fd == 0)
    fprintf(stderr, "exhost: %s\n", message);
  if (x->log_fd <= 0)
    return;
  xh_rfc3339(xh_realtime_ns(), time);
  size_t n = (size_t)snprintf(
    line, 120, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"", time, level);
  n += escape(line + n, sizeof line - n - 4, message);
  n += (size_t)snprintf(line + n, 4, "\"}\n");
  /* A full pipe loses it. The pipe is the embedder's and may block: it has room for a
   * line when it says that it has some (PIPE_BUF). */
  struct pollfd room = {.fd = x->log_fd, .events = POLLOUT};
  if (poll(&room, 1, 0) != 1)
    return;
  ssize_t done = write(x->log_fd, line, n);
  (void)done;
}

int xh_lua_call(xh_lua *x, int nargs) {
  lua_State *L = x->L;
  int base = lua_gettop(L) - nargs;
  x->entries++;
  lua_pushcfunction(L, traceback);
  lua_insert(L, base);
  int rc = lua_pcall(L, nargs, 0, base);
  if (rc != 0) {
    const char *message = lua_tostring(L, -1);
    snprintf(x->error, sizeof x->error, "%s", message ? message : "out of memory");
    xh_lua_log(x, "error", x->error);
  }
  lua_settop(L, base - 1);
  return rc;
}

int xh_push_error(lua_State *L, int err) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", xh_error_name(err), xh_error_text(err));
  lua_pushstring(L, xh_error_name(err));
  return 3;
}

int xh_push_result(lua_State *L, int err) {
  if (err < 0)
    return xh_push_error(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

void xh_new_type(lua_State *L, const char *name, const luaL_Reg *methods,
                 lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  if (methods != NULL)
    luaL_register(L, NULL, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

xh_buffer *xh_lua_buffer(lua_State *L) {
  xh_buffer *b = lua_newuserdata(L, sizeof *b);
  *b = (xh_buffer){0};
  luaL_getmetatable(L, BUFFER_TYPE);
  lua_setmetatable(L, -2);
  return b;
}

const char *xh_check_name(lua_State *L, int index) {
  size_t len;
  const char *name = luaL_checklstring(L, index, &len);
  return strlen(name) == len ? name : "";
}

lua_Number xh_opt_number(lua_State *L, int index, const char *field,
                         lua_Number otherwise) {
  lua_getfield(L, index, field);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
    luaL_error(L, "%s: expected a number, got %s", field, luaL_typename(L, -1));
  lua_Number value = lua_isnil(L, -1) ? otherwise : lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

bool xh_opt_boolean(lua_State *L, int index, const char *field) {
  lua_getfield(L, index, field);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

const char *xh_opt_string(lua_State *L, int index, const char *field) {
  lua_getfield(L, index, field);
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s: expected a string, got %s", field, luaL_typename(L, -1));
  const char *value = lua_tostring(L, -1); /* the table keeps it alive */
  if (value != NULL && strlen(value) != lua_objlen(L, -1))
    luaL_error(L, "%s: holds a NUL", field);
  lua_pop(L, 1);
  return value;
}
