/* lua_edit.c - module exhost.edit: a line editor on the terminal. In the command only.
 */
#include "lua.h"

#include "edit.h"

static const char EDIT_TYPE[] = "exhost.edit";

typedef struct edit_box {
  xh_edit *e; /* NULL once closed */
  xh_lua *x;
  xh_ref self, fn;
} edit_box;

static void happened(xh_edit *e, xh_edit_event event, const char *text, void *user) {
  static const char *const WORDS[] = {"line", "tab", "abort", "end"};
  (void)e;
  edit_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  lua_pushstring(x->L, WORDS[event]);
  lua_pushstring(x->L, text); /* nil without one */
  xh_lua_call(x, 2);
}

/* open(fn(event, text)) -> editor on descriptors 0 and 1. fn gets "line", "tab" (what
 * stands before the cursor; wants answer()), "abort" or "end". ENOSYS: no libedit. */
static int edit_open(lua_State *L) {
  const char *why = NULL;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  edit_box *box = lua_newuserdata(L, sizeof *box);
  *box = (edit_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, EDIT_TYPE);
  lua_setmetatable(L, -2);
  int err = xh_edit_open(&box->e, &box->x->loop->uv, happened, box, &why);
  if (err == UV_ENOSYS) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    lua_pushliteral(L, "ENOSYS");
    return 3;
  }
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->fn, 1);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

static xh_edit *check(lua_State *L) {
  edit_box *box = luaL_checkudata(L, 1, EDIT_TYPE);
  luaL_argcheck(L, box->e != NULL, 1, "the editor is closed");
  return box->e;
}

/* editor:read(prompt): one event tells how it ended. EBUSY while a line is edited. */
static int edit_read(lua_State *L) {
  xh_edit *e = check(L);
  return xh_push_result(L, xh_edit_read(e, luaL_checkstring(L, 2)));
}

/* editor:answer(insert, list): after "tab"; list "": nothing is shown. */
static int edit_answer(lua_State *L) {
  xh_edit *e = check(L);
  const char *insert = luaL_checkstring(L, 2), *list = luaL_checkstring(L, 3);
  return xh_push_result(L, xh_edit_answer(e, insert, list));
}

/* editor:abort(): drop the line that is edited; "abort" tells when it is. */
static int edit_abort(lua_State *L) {
  xh_edit_abort(check(L));
  return 0;
}

/* editor:remember(line): for the arrow keys. EBUSY while a line is edited. */
static int edit_remember(lua_State *L) {
  xh_edit *e = check(L);
  return xh_push_result(L, xh_edit_remember(e, luaL_checkstring(L, 2)));
}

/* editor:close(): the terminal is as it was. Any number of times. */
static int edit_close(lua_State *L) {
  edit_box *box = luaL_checkudata(L, 1, EDIT_TYPE);
  xh_edit_close(box->e);
  box->e = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
  return 0;
}

static const luaL_Reg METHODS[] = {{"read", edit_read},   {"answer", edit_answer},
                                   {"abort", edit_abort}, {"remember", edit_remember},
                                   {"close", edit_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", edit_open}, {NULL, NULL}};

int luaopen_exhost_edit(lua_State *L) {
  xh_new_type(L, EDIT_TYPE, METHODS, edit_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
