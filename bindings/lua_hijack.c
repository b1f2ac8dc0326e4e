/* lua_hijack.c - module exhost.hijack: a request that becomes a stream both ways. */
#include "lua_http.h"

#include "hijack.h"

static const char HIJACK_TYPE[] = "exhost.hijack";

typedef struct hijack_box {
  xh_hijack *h; /* NULL once ended or closed */
  xh_lua *x;
  xh_ref self, client, fn;
} hijack_box;

static void hijack_end(hijack_box *box) {
  xh_hijack_close(box->h);
  box->h = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->client);
  xh_ref_clear(box->x, &box->self);
}

static void ended(xh_hijack *h, int error, int status, const char *body, size_t len,
                  const char *why, void *user) {
  (void)h;
  hijack_box *box = user;
  xh_lua *x = box->x;
  lua_State *L = x->L;
  xh_ref_push(x, &box->fn);
  lua_newtable(L);
  lua_pushinteger(L, status);
  lua_setfield(L, -2, "status");
  lua_pushlstring(L, body, len);
  lua_setfield(L, -2, "body");
  if (error < 0) {
    xh_push_error(L, error);
    lua_setfield(L, -4, "code");
    lua_setfield(L, -3, "error");
    lua_pop(L, 1);
  }
  if (why != NULL) {
    lua_pushstring(L, why);
    lua_setfield(L, -2, "error");
  }
  hijack_end(box);
  xh_lua_call(x, 1);
}

static int opt_fd(lua_State *L, const char *name) {
  lua_Number fd = xh_opt_number(L, 2, name, -1);
  luaL_argcheck(L, fd >= -1 && fd <= INT_MAX, 2, "not a descriptor");
  return (int)fd;
}

/* open(client, {path, body, stdin = fd?, stdout = fd, stderr = fd}, fn) -> hijack.
 *
 * POST body to path, and pass on what the engine puts out and what stdin says until the
 * stream ends; then fn({status, body, error, code}) is called once: body is what the
 * engine said of a status above 299, error and code what cut the stream short. The
 * descriptors are taken over in any case. Returns nil, message, name on failure. */
static int hijack_open(lua_State *L) {
  xh_http *http = xh_check_http(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  xh_hijack_options o = {
    .path = xh_opt_string(L, 2, "path"),
    .in = opt_fd(L, "stdin"),
    .out = {opt_fd(L, "stdout"), opt_fd(L, "stderr")},
    .on_end = ended,
  };
  lua_getfield(L, 2, "body");
  o.body = luaL_checklstring(L, -1, &o.body_len); /* the table keeps it */
  luaL_argcheck(L, http != NULL, 1, "the client is closed");
  luaL_argcheck(L, o.path != NULL && o.path[0] == '/', 2, "a path is needed");
  luaL_argcheck(L, o.out[0] >= 0 && o.out[1] >= 0, 2, "stdout and stderr are needed");
  hijack_box *box = lua_newuserdata(L, sizeof *box);
  *box = (hijack_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, HIJACK_TYPE);
  lua_setmetatable(L, -2);
  o.user = box;
  int err = xh_hijack_open(&box->h, http, box->x->loop, &o);
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->fn, 3);
  xh_ref_set(box->x, L, &box->client, 1);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* hijack:close(): the connection is cut; fn is not called any more. */
static int hijack_close(lua_State *L) {
  hijack_end(luaL_checkudata(L, 1, HIJACK_TYPE));
  return 0;
}

static const luaL_Reg METHODS[] = {{"close", hijack_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", hijack_open}, {NULL, NULL}};

int luaopen_exhost_hijack(lua_State *L) {
  xh_new_type(L, HIJACK_TYPE, METHODS, hijack_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
