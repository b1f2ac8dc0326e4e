/* lua_listen.c - module exhost.listen: a unix socket for our own user and root. */
#include "lua.h"

#include <unistd.h>

#include "listen.h"

static const char LISTEN_TYPE[] = "exhost.listen";

typedef struct listen_box {
  xh_listen *l; /* NULL once closed */
  xh_lua *x;
  xh_ref self, fn;
} listen_box;

static void listen_end(listen_box *box) {
  xh_listen_close(box->l);
  box->l = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void connected(xh_listen *l, int fd, uid_t uid, pid_t pid, void *user) {
  (void)l;
  listen_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  lua_pushinteger(x->L, fd);
  lua_pushinteger(x->L, (lua_Integer)uid);
  lua_pushinteger(x->L, pid);
  if (xh_lua_call(x, 3) != 0)
    close(fd);
}

static listen_box *new_box(lua_State *L) {
  listen_box *box = lua_newuserdata(L, sizeof *box);
  *box = (listen_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, LISTEN_TYPE);
  lua_setmetatable(L, -2);
  return box;
}

static int answer(lua_State *L, listen_box *box, int err, int fn) {
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->fn, fn);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* open(dir, name, fn(fd, uid, pid)) -> listener. fn takes the descriptor over; peers of
 * another user than ours and root are turned away. EADDRINUSE: somebody serves it. */
static int listen_open(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  listen_box *box = new_box(L);
  int err = xh_listen_open(&box->l, &box->x->loop->uv, dir, name, connected, box);
  return answer(L, box, err, 3);
}

/* wrap(fd, fn) -> listener: a socket that already listens, taken over. */
static int listen_wrap(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  listen_box *box = new_box(L);
  return answer(L, box, xh_listen_fd(&box->l, &box->x->loop->uv, fd, connected, box),
                2);
}

/* loopback(port, fn(fd)) -> listener, port: TCP on 127.0.0.1, for whoever is on this
 * machine; port 0: any. */
static int listen_loopback(lua_State *L) {
  lua_Integer port = luaL_checkinteger(L, 1);
  luaL_argcheck(L, port >= 0 && port <= 65535, 1, "expected 0 to 65535");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  listen_box *box = new_box(L);
  int got = xh_listen_loopback(&box->l, &box->x->loop->uv, (int)port, connected, box);
  answer(L, box, got, 2);
  if (got < 0)
    return 3;
  lua_pushinteger(L, got);
  return 2;
}

/* connect(dir, name) -> fd number, non-blocking, the caller's; ECONNREFUSED, ENOENT:
 * nobody is there; EAGAIN: it has no room for more. */
static int listen_connect(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  int fd = xh_listen_connect(dir, xh_check_name(L, 2));
  if (fd < 0)
    return xh_push_error(L, fd);
  lua_pushinteger(L, fd);
  return 1;
}

/* listener:close(). Connections that were made go on. */
static int listen_close(lua_State *L) {
  listen_end(luaL_checkudata(L, 1, LISTEN_TYPE));
  return 0;
}

static const luaL_Reg METHODS[] = {{"close", listen_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", listen_open},
                                     {"wrap", listen_wrap},
                                     {"loopback", listen_loopback},
                                     {"connect", listen_connect},
                                     {NULL, NULL}};

int luaopen_exhost_listen(lua_State *L) {
  xh_new_type(L, LISTEN_TYPE, METHODS, listen_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
