/* lua_channel.c - module exhost.channel: lines to and from a shim, hang-ups. */
#include "lua.h"

#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "file.h"
#include "hangup.h"

static const char CHANNEL_TYPE[] = "exhost.channel";
static const char HANGUP_TYPE[] = "exhost.hangup";

typedef struct channel_box {
  xh_channel *c; /* NULL once closed */
  xh_lua *x;
  xh_ref self, on_line;
} channel_box;

static void channel_end(channel_box *box) {
  xh_channel_close(box->c);
  box->c = NULL;
  xh_ref_clear(box->x, &box->on_line);
  xh_ref_clear(box->x, &box->self);
}

static void got_line(xh_channel *c, const char *line, void *user) {
  (void)c;
  channel_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->on_line);
  if (line != NULL)
    lua_pushstring(x->L, line);
  else
    lua_pushnil(x->L);
  if (line == NULL)
    channel_end(box);
  xh_lua_call(x, 1);
}

/* open(fn(line|nil)) -> channel, number: the other end, the caller's to close. */
static int channel_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  channel_box *box = lua_newuserdata(L, sizeof *box);
  *box = (channel_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, CHANNEL_TYPE);
  lua_setmetatable(L, -2);
  int other;
  int err = xh_channel_open(&box->c, &other, &box->x->loop->uv, got_line, box);
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->on_line, 1);
  xh_ref_set(box->x, L, &box->self, -1);
  lua_pushinteger(L, other);
  return 2;
}

/* channel:send(line); EINVAL when it is not one line of text. */
static int channel_send(lua_State *L) {
  size_t len;
  channel_box *box = luaL_checkudata(L, 1, CHANNEL_TYPE);
  const char *line = luaL_checklstring(L, 2, &len);
  if (strcspn(line, "\n") != len)
    return xh_push_error(L, UV_EINVAL);
  return xh_push_result(L, box->c == NULL ? UV_EPIPE : xh_channel_send(box->c, line));
}

/* channel:close(): fn is not called any more. Any number of times. */
static int channel_close(lua_State *L) {
  channel_end(luaL_checkudata(L, 1, CHANNEL_TYPE));
  return 0;
}

typedef struct hangup_box {
  xh_hangup *h; /* NULL once closed or told */
  xh_lua *x;
  xh_ref self, fn;
} hangup_box;

static void hangup_end(hangup_box *box) {
  xh_hangup_close(box->h);
  box->h = NULL;
  xh_ref_clear(box->x, &box->fn);
  xh_ref_clear(box->x, &box->self);
}

static void hung_up(xh_hangup *h, void *user) {
  (void)h;
  hangup_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->fn);
  hangup_end(box);
  xh_lua_call(x, 0);
}

/* fifo_hangup(dir, name, fn) -> hangup: fn is called once when the FIFO's last reader
 * goes away; ENXIO when there is none now. */
static int channel_fifo_hangup(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  hangup_box *box = lua_newuserdata(L, sizeof *box);
  *box = (hangup_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, HANGUP_TYPE);
  lua_setmetatable(L, -2);
  int fd = xh_file_fifo_open(dir, name);
  int err = fd < 0 ? fd : xh_hangup_open(&box->h, &box->x->loop->uv, fd, hung_up, box);
  if (err < 0) {
    if (fd >= 0)
      close(fd);
    return xh_push_error(L, err);
  }
  xh_ref_set(box->x, L, &box->fn, 3);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* hangup:close(): fn is not called any more. Any number of times. */
static int hangup_close(lua_State *L) {
  hangup_end(luaL_checkudata(L, 1, HANGUP_TYPE));
  return 0;
}

static const luaL_Reg CHANNEL_METHODS[] = {
  {"send", channel_send}, {"close", channel_close}, {NULL, NULL}};
static const luaL_Reg HANGUP_METHODS[] = {{"close", hangup_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {
  {"open", channel_open}, {"fifo_hangup", channel_fifo_hangup}, {NULL, NULL}};

int luaopen_exhost_channel(lua_State *L) {
  xh_new_type(L, CHANNEL_TYPE, CHANNEL_METHODS, channel_close);
  xh_new_type(L, HANGUP_TYPE, HANGUP_METHODS, hangup_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
