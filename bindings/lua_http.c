/* lua_http.c - module exhost.http_core: HTTP requests to an engine. */
#include "lua_http.h"

#include <string.h>

static const char CLIENT_TYPE[] = "exhost.http";
static const char REQUEST_TYPE[] = "exhost.http_request";

enum { MOST_HEADERS = 16, DEFAULT_LIMIT = 16 * 1024 * 1024 };

typedef struct client_box {
  xh_http *h; /* NULL once closed */

} client_box;

typedef struct request_box {
  xh_http_request *r; /* NULL once answered or aborted */
  xh_lua *x;
  xh_ref self, client, on_answer, on_data;
} request_box;

xh_http *xh_check_http(lua_State *L, int index) {
  return ((client_box *)luaL_checkudata(L, index, CLIENT_TYPE))->h;
}

/* open(address) -> client: a unix socket's path, or "host:port". */
static int http_open(lua_State *L) {
  const char *address = xh_check_name(L, 1), *why = "";
  client_box *box = lua_newuserdata(L, sizeof *box);
  *box = (client_box){0};
  luaL_getmetatable(L, CLIENT_TYPE);
  lua_setmetatable(L, -2);
  int err = xh_http_open(&box->h, xh_lua_from(L)->loop, address, &why);
  if (err == 0)
    return 1;
  int values = xh_push_error(L, err);
  if (why[0] != '\0') {
    lua_pushfstring(L, "open libcurl: %s", why);
    lua_replace(L, -3);
  }
  return values;
}

static void request_end(request_box *box) {
  box->r = NULL;
  xh_ref_clear(box->x, &box->on_answer);
  xh_ref_clear(box->x, &box->on_data);
  xh_ref_clear(box->x, &box->client);
  xh_ref_clear(box->x, &box->self);
}

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value); /* nil for NULL */
  lua_setfield(L, -2, name);
}

static void answered(xh_http_request *r, const xh_http_answer *a, void *user) {
  (void)r;
  request_box *box = user;
  xh_lua *x = box->x;
  lua_State *L = x->L;
  xh_ref_push(x, &box->on_answer);
  lua_newtable(L);
  lua_pushinteger(L, a->status);
  lua_setfield(L, -2, "status");
  lua_pushboolean(L, a->refused);
  lua_setfield(L, -2, "refused");
  lua_pushlstring(L, a->body, a->len);
  lua_setfield(L, -2, "body");
  set_string(L, "error", a->error);
  set_string(L, "type", a->type);
  set_string(L, "version", a->version);
  request_end(box);
  xh_lua_call(x, 1);
}

static void got_data(xh_http_request *r, const char *data, size_t len, void *user) {
  (void)r;
  request_box *box = user;
  xh_ref_push(box->x, &box->on_data);
  lua_pushlstring(box->x->L, data, len);
  xh_lua_call(box->x, 1);
}

static void read_headers(lua_State *L, const char *out[MOST_HEADERS + 1]) {
  size_t n = 0;
  lua_getfield(L, 2, "headers");
  if (!lua_isnil(L, -1)) {
    luaL_checktype(L, -1, LUA_TTABLE);
    n = lua_objlen(L, -1);
    luaL_argcheck(L, n <= MOST_HEADERS, 2, "too many headers");
    for (size_t i = 0; i < n; i++) {
      lua_rawgeti(L, -1, (int)i + 1);
      out[i] = luaL_checkstring(L, -1);
      luaL_argcheck(L, strpbrk(out[i], "\r\n") == NULL, 2, "a header of several lines");
      lua_pop(L, 1); /* the table keeps it */
    }
  }
  out[n] = NULL;
}

static void keep_function(lua_State *L, request_box *box, xh_ref *ref,
                          const char *name) {
  lua_getfield(L, 2, name);
  if (!lua_isnil(L, -1)) {
    luaL_checktype(L, -1, LUA_TFUNCTION);
    xh_ref_set(box->x, L, ref, -1);
  }
  lua_pop(L, 1);
}

/* client:send{method, path, headers = {"Name: value"}, body, limit, on_answer, on_data}
 * -> request. on_answer({status, error, refused, body, type, version}) is called once;
 * on_data(bytes) for each piece of a 2xx body, which is then not kept. */
static int client_send(lua_State *L) {
  client_box *client = luaL_checkudata(L, 1, CLIENT_TYPE);
  const char *headers[MOST_HEADERS + 1];
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  if (client->h == NULL)
    return xh_push_error(L, UV_ECANCELED);
  lua_getfield(L, 2, "on_answer");
  luaL_checktype(L, -1, LUA_TFUNCTION);
  lua_pop(L, 1);
  xh_http_options o = {
    .method = xh_opt_string(L, 2, "method"),
    .path = xh_opt_string(L, 2, "path"),
    .limit = (size_t)xh_opt_number(L, 2, "limit", DEFAULT_LIMIT),
    .headers = headers,
    .on_answer = answered,
  };
  luaL_argcheck(L, o.method != NULL && o.path != NULL && o.path[0] == '/', 2,
                "method and path are needed");
  read_headers(L, headers);
  lua_getfield(L, 2, "body");
  o.body = lua_tolstring(L, -1, &o.body_len); /* the table keeps it */
  request_box *box = lua_newuserdata(L, sizeof *box);
  *box = (request_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, REQUEST_TYPE);
  lua_setmetatable(L, -2);
  keep_function(L, box, &box->on_answer, "on_answer");
  keep_function(L, box, &box->on_data, "on_data");
  o.on_data = box->on_data.slot > 0 ? got_data : NULL;
  o.user = box;
  int err = xh_http_send(client->h, &o, &box->r);
  if (err < 0) {
    request_end(box);
    return xh_push_error(L, err);
  }
  xh_ref_set(box->x, L, &box->self, -1);
  xh_ref_set(box->x, L, &box->client, 1);
  return 1;
}

/* request:abort(). on_answer is not called any more. */
static int request_abort(lua_State *L) {
  request_box *box = luaL_checkudata(L, 1, REQUEST_TYPE);
  if (box->r != NULL)
    xh_http_abort(box->r);
  request_end(box);
  return 0;
}

/* client:close(): what is in flight must have been answered or aborted. */
static int client_close(lua_State *L) {
  client_box *box = luaL_checkudata(L, 1, CLIENT_TYPE);
  xh_http_close(box->h);
  box->h = NULL;
  return 0;
}

static const luaL_Reg CLIENT_METHODS[] = {
  {"send", client_send}, {"close", client_close}, {NULL, NULL}};
static const luaL_Reg REQUEST_METHODS[] = {{"abort", request_abort}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", http_open}, {NULL, NULL}};

int luaopen_exhost_http(lua_State *L) {
  xh_new_type(L, CLIENT_TYPE, CLIENT_METHODS, client_close);
  xh_new_type(L, REQUEST_TYPE, REQUEST_METHODS, request_abort);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
