/* lua_system.c - module exhost.system: facts about this process and machine. */
#include "lua.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "error.h"
#include "sweep.h"
#include "user.h"

/* ids() -> uid, gid, pid */
static int system_ids(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)geteuid());
  lua_pushinteger(L, (lua_Integer)getegid());
  lua_pushinteger(L, (lua_Integer)getpid());
  return 3;
}

/* cwd() -> absolute path */
static int system_cwd(lua_State *L) {
  char path[PATH_MAX];
  if (getcwd(path, sizeof path) == NULL)
    return xh_push_error(L, -errno);
  lua_pushstring(L, path);
  return 1;
}

/* real_path(path) -> absolute path without symlinks */
static int system_real_path(lua_State *L) {
  char path[PATH_MAX];
  if (realpath(xh_check_name(L, 1), path) == NULL)
    return xh_push_error(L, -errno);
  lua_pushstring(L, path);
  return 1;
}

/* trusted(path) -> true if it and every folder above it are owned by root or us and
 * not writable by others (a sticky folder such as /tmp may be); else nil, why. */
static int system_trusted(lua_State *L) {
  char path[PATH_MAX];
  if (realpath(xh_check_name(L, 1), path) == NULL)
    return xh_push_error(L, -errno);
  for (;;) {
    struct stat st;
    if (stat(path, &st) != 0)
      return xh_push_error(L, -errno);
    bool open =
      (st.st_mode & 022) != 0 && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX));
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || open) {
      lua_pushnil(L);
      lua_pushfstring(L, "%s is %s", path,
                      open ? "writable by others" : "owned by another user");
      return 2;
    }
    char *slash = strrchr(path, '/');
    if (strcmp(path, "/") == 0 || slash == NULL)
      break;
    slash[slash == path ? 1 : 0] = '\0';
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* random_hex(bytes) -> text */
static int system_random_hex(lua_State *L) {
  unsigned char bytes[32];
  char text[65];
  lua_Integer n = luaL_checkinteger(L, 1);
  if (n < 1 || n > (lua_Integer)sizeof bytes)
    return luaL_argerror(L, 1, "expected 1 to 32");
  if (getrandom(bytes, (size_t)n, 0) != (ssize_t)n)
    return xh_push_error(L, -errno);
  for (lua_Integer i = 0; i < n; i++)
    snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  lua_pushlstring(L, text, (size_t)(2 * n));
  return 1;
}

/* terminal(fd) -> columns, rows when it is one, else nil. */
static int system_terminal(lua_State *L) {
  struct winsize size;
  int fd = (int)luaL_checkinteger(L, 1);
  if (!isatty(fd))
    return 0;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    size = (struct winsize){.ws_col = 80, .ws_row = 24};
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

/* error_text(errno) -> "no such file or directory", "ENOENT" */
static int system_error_text(lua_State *L) {
  int err = -(int)luaL_checkinteger(L, 1);
  lua_pushstring(L, xh_error_text(err));
  lua_pushstring(L, xh_error_name(err));
  return 2;
}

/* write(fd, text): the whole text, waiting where fd makes us wait. For the command's
 * own output; never in the library. */
static int system_write(lua_State *L) {
  size_t len;
  int fd = (int)luaL_checkinteger(L, 1);
  const char *text = luaL_checklstring(L, 2, &len);
  while (len > 0) {
    ssize_t n = write(fd, text, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return xh_push_error(L, -errno);
    text += n;
    len -= (size_t)n;
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* read_all(fd, max) -> everything up to its end. For the command (-f -) only. */
static int system_read_all(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  size_t max = (size_t)luaL_checknumber(L, 2);
  xh_buffer *all = xh_lua_buffer(L);
  for (ssize_t n = 1; n != 0;) {
    if (all->len > max)
      return xh_push_error(L, UV_EFBIG);
    if (xh_buffer_reserve(all, 65536) < 0)
      return xh_push_error(L, UV_ENOMEM);
    n = read(fd, all->data + all->len, 65536);
    if (n < 0 && errno != EINTR)
      return xh_push_error(L, -errno);
    if (n > 0)
      all->len += (size_t)n;
  }
  lua_pushlstring(L, all->data, all->len);
  return 1;
}

/* read_some(fd) -> what is there now, "" at the end; EAGAIN when there is nothing. */
static int system_read_some(lua_State *L) {
  char bytes[65536];
  ssize_t n = read((int)luaL_checkinteger(L, 1), bytes, sizeof bytes);
  if (n < 0)
    return xh_push_error(L, -errno);
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* pipe() -> read end, write end: blocking, closed in programs that are started. */
static int system_pipe(lua_State *L) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return xh_push_error(L, -errno);
  lua_pushinteger(L, ends[0]);
  lua_pushinteger(L, ends[1]);
  return 2;
}

/* dup(fd) -> another number for the same, closed in programs that are started. */
static int system_dup(lua_State *L) {
  int fd = fcntl((int)luaL_checkinteger(L, 1), F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    return xh_push_error(L, -errno);
  lua_pushinteger(L, fd);
  return 1;
}

/* close(fd): a raw descriptor number that we own. */
static int system_close(lua_State *L) {
  return xh_push_result(L, close((int)luaL_checkinteger(L, 1)) == 0 ? 0 : -errno);
}

/* --- work off the loop ------------------------------------------------------------ */

typedef struct job {
  uv_work_t work;
  xh_lua *x;
  xh_ref done;
  int result;
  char text[512];
  xh_user user;
} job;

static void find_user(uv_work_t *work) {
  job *j = work->data;
  j->result = xh_user_find(j->text, &j->user);
}

static void push_user(lua_State *L, const xh_user *u) {
  lua_createtable(L, 0, 5);
  lua_pushnumber(L, (double)u->uid);
  lua_setfield(L, -2, "uid");
  lua_pushnumber(L, (double)u->gid);
  lua_setfield(L, -2, "gid");
  lua_pushstring(L, u->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, u->home);
  lua_setfield(L, -2, "home");
  lua_createtable(L, u->group_count, 0);
  for (int i = 0; i < u->group_count; i++) {
    lua_pushnumber(L, (double)u->groups[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "groups");
}

/* own_user() -> {uid, gid, name, home, groups} from the local files, or nil. */
static int system_own_user(lua_State *L) {
  xh_user user;
  if (xh_user_self(&user) < 0)
    return 0;
  push_user(L, &user);
  return 1;
}

static void found_user(uv_work_t *work, int status) {
  job *j = work->data;
  xh_lua *x = j->x;
  int err = status < 0 ? status : j->result;
  if (x->L == NULL) { /* the host closed meanwhile */
    free(j);
    return;
  }
  xh_ref_push(x, &j->done);
  xh_ref_clear(x, &j->done);
  if (err < 0) {
    xh_push_error(x->L, err);
    xh_lua_call(x, 3);
  } else {
    push_user(x->L, &j->user);
    xh_lua_call(x, 1);
  }
  free(j);
}

static void sweep(uv_work_t *work) {
  job *j = work->data;
  j->result = xh_sweep_kill(j->text);
}

static void swept(uv_work_t *work, int status) {
  job *j = work->data;
  xh_lua *x = j->x;
  if (x->L == NULL) {
    free(j);
    return;
  }
  xh_ref_push(x, &j->done);
  xh_ref_clear(x, &j->done);
  lua_pushinteger(x->L, status < 0 ? 0 : j->result);
  xh_lua_call(x, 1);
  free(j);
}

static int queue(lua_State *L, uv_work_cb work, uv_after_work_cb after) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (strlen(text) != len || len >= sizeof(((job *)NULL)->text))
    return xh_push_error(L, strlen(text) != len ? UV_EINVAL : UV_ENAMETOOLONG);
  job *j = calloc(1, sizeof *j);
  if (j == NULL)
    return xh_push_error(L, UV_ENOMEM);
  memcpy(j->text, text, len + 1);
  j->x = xh_lua_from(L);
  j->work.data = j;
  int err = uv_queue_work(&j->x->loop->uv, &j->work, work, after);
  if (err < 0) {
    free(j);
    return xh_push_error(L, err);
  }
  xh_ref_set(j->x, L, &j->done, 2);
  lua_pushboolean(L, 1);
  return 1;
}

/* find_user(spec, done): done({uid, gid, name, home, groups}) or done(nil, message,
 * "ENOENT" no such user | "ESRCH" no such group). */
static int system_find_user(lua_State *L) {
  return queue(L, find_user, found_user);
}

/* sweep(variable, done): done(count): core/sweep.h. */
static int system_sweep(lua_State *L) {
  return queue(L, sweep, swept);
}

/* kill_in_cgroup(pid, word): true or nil, message, name: core/sweep.h. */
static int system_kill_in_cgroup(lua_State *L) {
  int err =
    xh_sweep_kill_in_cgroup((long)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
  if (err < 0)
    return xh_push_error(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {
  {"ids", system_ids},
  {"cwd", system_cwd},
  {"real_path", system_real_path},
  {"trusted", system_trusted},
  {"random_hex", system_random_hex},
  {"terminal", system_terminal},
  {"error_text", system_error_text},
  {"write", system_write},
  {"read_all", system_read_all},
  {"read_some", system_read_some},
  {"pipe", system_pipe},
  {"dup", system_dup},
  {"close", system_close},
  {"own_user", system_own_user},
  {"find_user", system_find_user},
  {"sweep", system_sweep},
  {"kill_in_cgroup", system_kill_in_cgroup},
  {NULL, NULL},
};

int luaopen_exhost_system(lua_State *L) {
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
