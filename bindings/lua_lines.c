/* lua_lines.c - module exhost.lines: what comes in on a pipe or socket, line by line.
 */
#include "lua.h"

#include "lines.h"

static const char LINES_TYPE[] = "exhost.lines";

typedef struct lines_box {
  xh_lines *l; /* NULL once ended or closed */
  xh_lua *x;
  xh_ref self, fn;
} lines_box;

static void lines_end(lines_box *box) {
  xh_lines_close(box->l);
  box->l = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void got_line(xh_lines *l, const char *line, size_t len, int error, void *user) {
  (void)l;
  lines_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  if (line != NULL) {
    lua_pushlstring(x->L, line, len);
    xh_lua_call(x, 1);
    return;
  }
  int values = 1;
  if (error < 0)
    values = xh_push_error(x->L, error);
  else
    lua_pushnil(x->L);
  lines_end(box);
  xh_lua_call(x, values);
}

/* open(fd number, limit in bytes, fn(line|nil, err, code)) -> reader. fd is taken over.
 * fn gets every line without its newline, then nil once, with a reason unless it is the
 * plain end; EMSGSIZE: a line over the limit. */
static int lines_open(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  lua_Number limit = luaL_checknumber(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  luaL_argcheck(L, limit >= 1 && limit <= 1e12, 2, "out of range");
  lines_box *box = lua_newuserdata(L, sizeof *box);
  *box = (lines_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, LINES_TYPE);
  lua_setmetatable(L, -2);
  int err = xh_lines_open(&box->l, &box->x->loop->uv, fd, (size_t)limit, got_line, box);
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->fn, 3);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* reader:take_fd() -> fd number that came along on a socket, the caller's; nil: none.
 */
static int lines_take_fd(lua_State *L) {
  lines_box *box = luaL_checkudata(L, 1, LINES_TYPE);
  int fd = box->l == NULL ? -1 : xh_lines_take_fd(box->l);
  if (fd < 0)
    return 0;
  lua_pushinteger(L, fd);
  return 1;
}

/* reader:close(). fn is not called any more. */
static int lines_close(lua_State *L) {
  lines_end(luaL_checkudata(L, 1, LINES_TYPE));
  return 0;
}

static const luaL_Reg METHODS[] = {
  {"close", lines_close}, {"take_fd", lines_take_fd}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", lines_open}, {NULL, NULL}};

int luaopen_exhost_lines(lua_State *L) {
  xh_new_type(L, LINES_TYPE, METHODS, lines_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
