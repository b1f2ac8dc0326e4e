/* lua_outlet.c - module exhost.outlet: lines to somebody who may be slow. */
#include "lua.h"

#include "outlet.h"

static const char OUTLET_TYPE[] = "exhost.outlet";

typedef struct outlet_box {
  xh_outlet *o; /* NULL once closed */
  xh_lua *x;
  xh_ref self, fn;
} outlet_box;

static void outlet_end(outlet_box *box) {
  xh_outlet_close(box->o);
  box->o = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void happened(xh_outlet *o, xh_outlet_event event, void *user) {
  (void)o;
  outlet_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  lua_pushstring(x->L, event == XH_OUTLET_GONE ? "gone" : "empty");
  if (event == XH_OUTLET_GONE)
    outlet_end(box);
  xh_lua_call(x, 1);
}

/* open(fd number, limit in bytes, fn(word)) -> outlet. fd is taken over. fn gets
 * "empty" when all was written after something had been refused, and once "gone" when
 * nobody reads any more. */
static int outlet_open(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  lua_Number limit = luaL_checknumber(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  luaL_argcheck(L, limit >= 0 && limit <= 1e12, 2, "out of range");
  outlet_box *box = lua_newuserdata(L, sizeof *box);
  *box = (outlet_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, OUTLET_TYPE);
  lua_setmetatable(L, -2);
  int err =
    xh_outlet_open(&box->o, &box->x->loop->uv, fd, (size_t)limit, happened, box);
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->fn, 3);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* outlet:put(text [, fd]) -> true; ENOBUFS when it does not fit, EPIPE when nobody
 * reads. A socket passes the descriptor, which is taken over, with the text. */
static int outlet_put(lua_State *L) {
  size_t len;
  outlet_box *box = luaL_checkudata(L, 1, OUTLET_TYPE);
  const char *text = luaL_checklstring(L, 2, &len);
  int fd = (int)luaL_optinteger(L, 3, -1);
  return xh_push_result(L, box->o == NULL ? UV_EPIPE
                                          : xh_outlet_put(box->o, text, len, fd));
}

/* outlet:close(): what waits is dropped; fn is not called any more. */
static int outlet_close(lua_State *L) {
  outlet_end(luaL_checkudata(L, 1, OUTLET_TYPE));
  return 0;
}

static const luaL_Reg METHODS[] = {
  {"put", outlet_put}, {"close", outlet_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", outlet_open}, {NULL, NULL}};

int luaopen_exhost_outlet(lua_State *L) {
  xh_new_type(L, OUTLET_TYPE, METHODS, outlet_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
