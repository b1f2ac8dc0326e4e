/* lua_logread.c - module exhost.logread: logs into a descriptor, no byte in Lua. */
#include "lua.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logread.h"

static const char READER_TYPE[] = "exhost.logread";

typedef struct reader_box {
  xh_logread *r; /* NULL once closed */
  xh_lua *x;
  xh_ref self, on_end;
} reader_box;

static void reader_end(reader_box *box) {
  xh_logread_close(box->r);
  box->r = NULL;
  xh_ref_clear(box->x, &box->on_end);
  xh_ref_clear(box->x, &box->self);
}

static void ended(xh_logread *r, int error, void *user) {
  (void)r;
  reader_box *box = user;
  xh_lua *x = box->x;
  xh_ref_push(x, &box->on_end);
  reader_end(box);
  if (error < 0) {
    xh_push_error(x->L, error);
    xh_lua_call(x, 3);
  } else {
    lua_pushboolean(x->L, 1);
    xh_lua_call(x, 1);
  }
}

static xh_log_format format_of(lua_State *L) {
  const char *name = xh_opt_string(L, 3, "format");
  if (name == NULL || strcmp(name, "raw") == 0)
    return XH_LOG_RAW;
  if (strcmp(name, "frames") == 0)
    return XH_LOG_FRAMES;
  if (strcmp(name, "jsonl") == 0)
    return XH_LOG_JSONL;
  luaL_error(L, "format: expected raw, frames or jsonl, got %s", name);
  return XH_LOG_RAW;
}

static int streams_of(lua_State *L) {
  const char *name = xh_opt_string(L, 3, "stream");
  if (name == NULL)
    return XH_STREAM_STDOUT | XH_STREAM_STDERR;
  if (strcmp(name, "stdout") == 0)
    return XH_STREAM_STDOUT;
  if (strcmp(name, "stderr") == 0)
    return XH_STREAM_STDERR;
  return luaL_error(L, "stream: expected stdout or stderr, got %s", name);
}

/* Seconds since 1970 as nanoseconds; what lies beyond the clock is its end. */
static int64_t nanoseconds(lua_Number seconds) {
  return seconds <= 0 ? 0 : seconds < 9e9 ? (int64_t)(seconds * 1e9) : INT64_MAX;
}

/* open(log_dir, index_dir, {target = fd number (taken over), format, stream,
 *      timestamps, follow, tail, lines, since, until (seconds since 1970),
 *      on_end = fn(true | nil, message, name)}) -> reader */
static int reader_open(lua_State *L) {
  xh_logread_options o = {.struct_size = sizeof o};
  o.log_dir = xh_check_dir(L, 1);
  o.index_dir = xh_check_dir(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  o.target = (int)xh_opt_number(L, 3, "target", -1);
  o.format = format_of(L);
  o.streams = streams_of(L);
  o.timestamps = xh_opt_boolean(L, 3, "timestamps");
  o.follow = xh_opt_boolean(L, 3, "follow");
  o.no_history = xh_opt_boolean(L, 3, "tail");
  o.lines = (int64_t)xh_opt_number(L, 3, "lines", -1);
  o.from[0] = (int64_t)xh_opt_number(L, 3, "from_stdout", 0);
  o.from[1] = (int64_t)xh_opt_number(L, 3, "from_stderr", 0);
  o.since_ns = nanoseconds(xh_opt_number(L, 3, "since", 0));
  o.until_ns = nanoseconds(xh_opt_number(L, 3, "until", 0));
  lua_getfield(L, 3, "on_end");
  luaL_checktype(L, 4, LUA_TFUNCTION);
  reader_box *box = lua_newuserdata(L, sizeof *box);
  *box = (reader_box){.x = xh_lua_from(L)};
  luaL_getmetatable(L, READER_TYPE);
  lua_setmetatable(L, -2);
  o.on_end = ended;
  o.user = box;
  int err = xh_logread_open(&box->r, box->x->loop, &o);
  if (err < 0)
    return xh_push_error(L, err);
  xh_ref_set(box->x, L, &box->on_end, 4);
  xh_ref_set(box->x, L, &box->self, -1);
  return 1;
}

/* reader:finish(): the execution has ended, give the rest and end. */
static int reader_finish(lua_State *L) {
  reader_box *box = luaL_checkudata(L, 1, READER_TYPE);
  if (box->r != NULL)
    xh_logread_finish(box->r);
  return 0;
}

/* reader:close(): on_end is not called any more. */
static int reader_close(lua_State *L) {
  reader_end(luaL_checkudata(L, 1, READER_TYPE));
  return 0;
}

/* pipe() -> read end, write end: numbers, both non-blocking, the caller's. */
static int reader_pipe(lua_State *L) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return xh_push_error(L, -errno);
  lua_pushinteger(L, ends[0]);
  lua_pushinteger(L, ends[1]);
  return 2;
}

/* A pipe or terminal is opened anew; what cannot be (a socket, a file whose position is
 * shared) is duplicated. */
static int own(lua_State *L, int flags) {
  int fd = (int)luaL_checkinteger(L, 1), own = -1;
  char path[32];
  struct stat st;
  if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    own = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  }
  if (own < 0)
    own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0)
    return xh_push_error(L, -errno);
  lua_pushinteger(L, own);
  return 1;
}

/* own_output(fd) -> number: a descriptor for the same output that may be non-blocking
 * without being so for those who share fd with us. */
static int reader_own_output(lua_State *L) {
  return own(L, O_WRONLY);
}

/* own_input(fd) -> number: the same for input. */
static int reader_own_input(lua_State *L) {
  return own(L, O_RDONLY);
}

static const luaL_Reg METHODS[] = {
  {"finish", reader_finish}, {"close", reader_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"open", reader_open},
                                     {"pipe", reader_pipe},
                                     {"own_output", reader_own_output},
                                     {"own_input", reader_own_input},
                                     {NULL, NULL}};

int luaopen_exhost_logread(lua_State *L) {
  xh_new_type(L, READER_TYPE, METHODS, reader_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
