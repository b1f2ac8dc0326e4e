/* lua_collect.c - module exhost.collect: what comes out of a FIFO or pipe. */
#include "lua.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "collect.h"

static const char COLLECT_TYPE[] = "exhost.collect";

typedef struct collect_box {
  xh_collect *c; /* NULL once ended or closed */
  xh_lua *x;
  xh_ref self, fn;
} collect_box;

static void collect_end(collect_box *box) {
  xh_collect_close(box->c);
  box->c = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void ended(xh_collect *c, int error, const char *data, size_t len,
                  uint64_t dropped, void *user) {
  (void)c;
  collect_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  lua_pushlstring(x->L, data != NULL ? data : "", len);
  lua_pushnumber(x->L, (lua_Number)dropped);
  int values = error < 0 ? 2 + xh_push_error(x->L, error) : 2;
  collect_end(box);
  xh_lua_call(x, values);
}

/* Opening a FIFO to read does not wait for a writer, and its end is told only after
 * there was one. */
static int open_fifo(int dir, const char *name) {
  int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* Read fd, which is taken over on success, to its end; the options are at `at`, and the
 * function after them. Pushes a collector and returns 0, or a negative error. */
static int begin(lua_State *L, int fd, int at) {
  lua_Number limit = xh_opt_number(L, at, "limit", 1024 * 1024);
  int target = (int)xh_opt_number(L, at, "target", -1);
  collect_box *box = lua_newuserdata(L, sizeof *box);
  *box = (collect_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, COLLECT_TYPE);
  lua_setmetatable(L, -2);
  xh_collect_options o = {
    .fd = fd, .target = target, .limit = (size_t)limit, .on_end = ended, .user = box};
  int err = xh_collect_open(&box->c, &box->x->loop->uv, &o);
  if (err < 0)
    return err;
  xh_ref_set(box->x, L, &box->fn, at + 1);
  xh_ref_set(box->x, L, &box->self, -1);
  return 0;
}

/* So that no descriptor is open when an argument turns out to be wrong. */
static void check(lua_State *L, int at) {
  luaL_checktype(L, at, LUA_TTABLE);
  luaL_checktype(L, at + 1, LUA_TFUNCTION);
  lua_Number limit = xh_opt_number(L, at, "limit", 1);
  luaL_argcheck(L, limit >= 1 && limit <= 1e12, at, "limit out of range");
  xh_opt_number(L, at, "target", -1);
}

/* fifo(dir, name, {limit = bytes, target = number?}, fn) -> collector.
 *
 * Reads the FIFO to its end, then calls fn(bytes, dropped): the last `limit` bytes,
 * and how many went before. With `target`, a descriptor that is taken over, all goes
 * there and bytes is "". After an error fn gets nil, message, name as well. */
static int collect_fifo(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  check(L, 3);
  int fd = open_fifo(dir, name);
  if (fd < 0)
    return xh_push_error(L, fd);
  int err = begin(L, fd, 3);
  if (err == 0)
    return 1;
  close(fd);
  return xh_push_error(L, err);
}

/* pipe({limit, target}, fn) -> collector, number: the same of a new pipe, and the end
 * of it to write to, which is the caller's to close. */
static int collect_pipe(lua_State *L) {
  int pair[2];
  check(L, 1);
  if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
    return xh_push_error(L, -errno);
  int err = begin(L, pair[0], 1);
  if (err < 0) {
    close(pair[0]);
    close(pair[1]);
    return xh_push_error(L, err);
  }
  lua_pushinteger(L, pair[1]);
  return 2;
}

/* collector:close(). Its writer is told by SIGPIPE; fn is not called any more. */
static int collect_close(lua_State *L) {
  collect_end(luaL_checkudata(L, 1, COLLECT_TYPE));
  return 0;
}

/* collector:finish(): fn is called now with what has come so far. */
static int collect_finish(lua_State *L) {
  collect_box *box = luaL_checkudata(L, 1, COLLECT_TYPE);
  if (box->c != NULL)
    xh_collect_finish(box->c);
  return 0;
}

static const luaL_Reg METHODS[] = {
  {"close", collect_close}, {"finish", collect_finish}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {
  {"fifo", collect_fifo}, {"pipe", collect_pipe}, {NULL, NULL}};

int luaopen_exhost_collect(lua_State *L) {
  xh_new_type(L, COLLECT_TYPE, METHODS, collect_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
