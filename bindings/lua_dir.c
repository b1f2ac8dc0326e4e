/* lua_dir.c - module exhost.dir: folders held open, and files below them.
 *
 * Names are single path components (core/file.h). Everything answers a value, or
 * nil, "ENOENT: no such file or directory", "ENOENT". */
#include "lua.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "members.h"

static const char DIR_TYPE[] = "exhost.dir";
static const char FD_TYPE[] = "exhost.fd";

enum { DEFAULT_MAX_READ = 64 * 1024 * 1024, MEMBERS_MOST = 16 * 1024 };

typedef struct fd_box {
  int fd; /* -1 once closed or taken */
} fd_box;

/* Create the box before the descriptor exists: nothing can raise in between. */
static fd_box *new_box(lua_State *L, const char *type) {
  fd_box *box = lua_newuserdata(L, sizeof *box);
  box->fd = -1;
  luaL_getmetatable(L, type);
  lua_setmetatable(L, -2);
  return box;
}

static int answer_box(lua_State *L, fd_box *box, int fd) {
  if (fd < 0)
    return xh_push_error(L, fd);
  box->fd = fd;
  return 1;
}

static int box_close(lua_State *L) {
  fd_box *box = lua_touserdata(L, 1);
  if (box != NULL && box->fd >= 0)
    close(box->fd);
  if (box != NULL)
    box->fd = -1;
  return 0;
}

int xh_check_dir(lua_State *L, int index) {
  fd_box *box = luaL_checkudata(L, index, DIR_TYPE);
  luaL_argcheck(L, box->fd >= 0, index, "folder is closed");
  return box->fd;
}

/* open(path [, {create = bool, mode = 448, no_follow = bool, no_links = bool}]) -> dir.
 * The path is absolute; with no_links no part of it is a symlink. */
static int dir_open(lua_State *L) {
  const char *path = xh_check_name(L, 1);
  bool create = lua_istable(L, 2) && xh_opt_boolean(L, 2, "create");
  bool follow = !(lua_istable(L, 2) && xh_opt_boolean(L, 2, "no_follow"));
  bool plain = lua_istable(L, 2) && xh_opt_boolean(L, 2, "no_links");
  luaL_argcheck(L, !(plain && create), 2, "no_links is for a folder that is there");
  mode_t mode = (mode_t)(lua_istable(L, 2) ? xh_opt_number(L, 2, "mode", 0700) : 0700);
  fd_box *box = new_box(L, DIR_TYPE);
  int fd = plain ? xh_dir_open_plain(path) : xh_dir_open(path, follow, create, mode);
  return answer_box(L, box, fd);
}

/* dir:open(name [, create]) -> dir, never through a symlink. */
static int dir_open_below(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  bool create = lua_toboolean(L, 3);
  fd_box *box = new_box(L, DIR_TYPE);
  return answer_box(L, box, xh_dir_open_at(dir, name, create));
}

/* dir:is_private() -> true if it is ours and closed to others. */
static int dir_is_private(lua_State *L) {
  return xh_push_result(L, xh_dir_is_private(xh_check_dir(L, 1)));
}

/* dir:inode() -> its number as text, which a double could not hold. */
static int dir_inode(lua_State *L) {
  ino_t inode;
  char text[24];
  int err = xh_dir_inode(xh_check_dir(L, 1), &inode);
  if (err < 0)
    return xh_push_error(L, err);
  snprintf(text, sizeof text, "%ju", (uintmax_t)inode);
  lua_pushstring(L, text);
  return 1;
}

/* dir:mkdir(name), mkfifo(name), unlink(name) -> true; closed to others. unlink takes
 * no folder. */
static int dir_mkdir(lua_State *L) {
  return xh_push_result(L, xh_file_mkdir(xh_check_dir(L, 1), xh_check_name(L, 2)));
}

static int dir_mkfifo(lua_State *L) {
  return xh_push_result(L, xh_file_mkfifo(xh_check_dir(L, 1), xh_check_name(L, 2)));
}

static int dir_unlink(lua_State *L) {
  return xh_push_result(L, xh_file_unlink(xh_check_dir(L, 1), xh_check_name(L, 2)));
}

/* dir:rename(name, to_dir, to_name) */
static int dir_rename(lua_State *L) {
  int from = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  int to = xh_check_dir(L, 3);
  return xh_push_result(L, xh_file_rename(from, name, to, xh_check_name(L, 4)));
}

/* dir:rename_new(name, to_dir, to_name): EEXIST when to_name is taken. */
static int dir_rename_new(lua_State *L) {
  int from = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  int to = xh_check_dir(L, 3);
  return xh_push_result(L, xh_file_rename_new(from, name, to, xh_check_name(L, 4)));
}

/* dir:remove_tree(name): a folder with all that is in it. */
static int dir_remove_tree(lua_State *L) {
  return xh_push_result(L, xh_dir_remove_tree(xh_check_dir(L, 1), xh_check_name(L, 2)));
}

/* dir:list([all]) -> names in no order; without `all` those of temporary files
 * (".tmp-...") are left out. */
static int dir_list(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  bool all = lua_toboolean(L, 2);
  xh_buffer *names = xh_lua_buffer(L);
  int count = xh_dir_list(dir, names);
  if (count < 0)
    return xh_push_error(L, count);
  lua_createtable(L, count, 0);
  const char *name = names->data;
  for (int i = 0, kept = 0; i < count; i++, name += strlen(name) + 1) {
    if (!all && strncmp(name, ".tmp-", 5) == 0)
      continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, ++kept);
  }
  return 1;
}

static const char *kind_of(mode_t mode) {
  return S_ISREG(mode)    ? "file"
         : S_ISDIR(mode)  ? "directory"
         : S_ISLNK(mode)  ? "link"
         : S_ISFIFO(mode) ? "fifo"
                          : "other";
}

/* dir:stat(name) -> {kind, size, uid, mode, mtime, links} */
static int dir_stat(lua_State *L) {
  struct stat st;
  int err = xh_file_stat(xh_check_dir(L, 1), xh_check_name(L, 2), &st);
  if (err < 0)
    return xh_push_error(L, err);
  lua_createtable(L, 0, 6);
  lua_pushstring(L, kind_of(st.st_mode));
  lua_setfield(L, -2, "kind");
  lua_pushnumber(L, (double)st.st_size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L, (double)st.st_uid);
  lua_setfield(L, -2, "uid");
  lua_pushnumber(L, (double)(st.st_mode & 07777));
  lua_setfield(L, -2, "mode");
  lua_pushnumber(L, (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9);
  lua_setfield(L, -2, "mtime");
  lua_pushnumber(L, (double)st.st_nlink);
  lua_setfield(L, -2, "links");
  return 1;
}

/* dir:read(name [, max bytes]) -> string */
static int dir_read(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  lua_Number max = luaL_optnumber(L, 3, DEFAULT_MAX_READ);
  luaL_argcheck(L, max >= 0 && max <= 1e15, 3, "out of range");
  xh_buffer *content = xh_lua_buffer(L);
  int err = xh_file_read(dir, name, (size_t)max, content);
  if (err < 0)
    return xh_push_error(L, err);
  lua_pushlstring(L, content->data != NULL ? content->data : "", content->len);
  xh_buffer_free(content);
  return 1;
}

typedef struct members_into {
  lua_State *L;
  int keys, into; /* indices of the caller's tables */
  bool plain;
} members_into;

/* A value on the stack, or nothing when it is none that is plain. */
static bool push_plain(lua_State *L, const xh_member *m) {
  lua_pushlstring(L, m->value, m->kind == XH_MEMBER_OTHER ? 0 : m->len);
  if (m->kind == XH_MEMBER_TEXT)
    return true;
  const char *word = lua_tostring(L, -1);
  lua_Number number = lua_tonumber(L, -1); /* whatever the locale */
  bool digits = strspn(word, "0123456789+-.eE") == m->len && lua_isnumber(L, -1);
  bool yes = strcmp(word, "true") == 0, no = strcmp(word, "false") == 0;
  bool plain = m->kind == XH_MEMBER_WORD &&
               ((digits && isfinite(number)) || yes || no || strcmp(word, "null") == 0);
  lua_pop(L, 1);
  if (plain && digits)
    lua_pushnumber(L, number);
  else if (plain && (yes || no))
    lua_pushboolean(L, yes);
  else if (plain)
    lua_pushnil(L);
  return plain;
}

static void keep_member(const xh_member *m, void *user) {
  members_into *t = user;
  lua_pushlstring(t->L, m->name, m->name_len);
  lua_pushvalue(t->L, -1);
  lua_rawget(t->L, t->keys);
  bool wanted = lua_toboolean(t->L, -1);
  lua_pop(t->L, 1);
  if (wanted && push_plain(t->L, m)) {
    lua_rawset(t->L, t->into);
    return;
  }
  lua_pop(t->L, 1);
  if (wanted)
    t->plain = false;
}

/* dir:members(name, keys, into) -> true: puts those members of the JSON object in that
 * file that are keys of `keys` into `into`. False when one of them is not plain (a
 * table, a string with escapes), or the file is no object or a long one: then read it
 * as a whole. */
static int dir_members(lua_State *L) {
  char text[MEMBERS_MOST];
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  members_into t = {.L = L, .keys = 3, .into = 4, .plain = true};
  ssize_t n = xh_file_read_at(dir, name, 0, text, sizeof text);
  if (n < 0)
    return xh_push_error(L, (int)n);
  bool whole =
    (size_t)n < sizeof text && xh_members_scan(text, (size_t)n, keep_member, &t) == 0;
  lua_pushboolean(L, whole && t.plain);
  return 1;
}

/* dir:read_at(name, offset, len) -> string; a negative offset counts from the end. */
static int dir_read_at(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  lua_Number offset = luaL_checknumber(L, 3);
  lua_Number len = luaL_checknumber(L, 4);
  luaL_argcheck(L, offset >= -1e15 && offset <= 1e15, 3, "out of range");
  luaL_argcheck(L, len >= 0 && len <= DEFAULT_MAX_READ, 4, "out of range");
  char *bytes = lua_newuserdata(L, (size_t)len > 0 ? (size_t)len : 1);
  ssize_t n = xh_file_read_at(dir, name, (off_t)offset, bytes, (size_t)len);
  if (n < 0)
    return xh_push_error(L, (int)n);
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* dir:write(name, data [, sync]): the file is replaced as a whole. */
static int dir_write(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L, xh_file_write(dir, name, data, len, lua_toboolean(L, 4)));
}

/* dir:create(name, data): not atomic, for a folder that nobody else looks at yet. */
static int dir_create(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L, xh_file_create(dir, name, data, len));
}

/* dir:link_once(name, data [, sync]): EEXIST when somebody was first. */
static int dir_link_once(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L,
                        xh_file_link_once(dir, name, data, len, lua_toboolean(L, 4)));
}

typedef struct sync_job {
  uv_work_t work;
  xh_lua *x;
  xh_ref done;
  int dir, result; /* dir is our duplicate */
  char name[NAME_MAX + 1];
  size_t len;
  char data[];
} sync_job;

static void link_synced(uv_work_t *work) {
  sync_job *j = work->data;
  j->result = xh_file_link_once(j->dir, j->name, j->data, j->len, true);
}

static void linked_synced(uv_work_t *work, int status) {
  sync_job *j = work->data;
  xh_lua *x = j->x;
  int err = status < 0 ? status : j->result;
  close(j->dir);
  if (x->L != NULL) {
    xh_ref_push(x, &j->done);
    xh_ref_clear(x, &j->done);
    xh_lua_call(x, xh_push_result(x->L, err));
  }
  free(j);
}

/* dir:link_synced(name, data, done): as link_once with sync, off the loop, since a
 * disk may take its time; done(true | nil, message, name). */
static int dir_link_synced(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  if (strlen(name) > NAME_MAX)
    return xh_push_error(L, UV_ENAMETOOLONG);
  sync_job *j = calloc(1, sizeof *j + len);
  if (j == NULL)
    return xh_push_error(L, UV_ENOMEM);
  j->work.data = j;
  j->x = xh_lua_from(L);
  j->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
  j->len = len;
  memcpy(j->data, data, len);
  snprintf(j->name, sizeof j->name, "%s", name);
  int err = j->dir < 0
              ? -errno
              : uv_queue_work(&j->x->loop->uv, &j->work, link_synced, linked_synced);
  if (err < 0) {
    if (j->dir >= 0)
      close(j->dir);
    free(j);
    return xh_push_error(L, err);
  }
  xh_ref_set(j->x, L, &j->done, 4);
  lua_pushboolean(L, 1);
  return 1;
}

/* dir:append(name, data [, limit]) -> true, or false when it would pass the limit. */
static int dir_append(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  int done = xh_file_append(dir, name, data, len, (off_t)luaL_optnumber(L, 4, 0));
  if (done < 0)
    return xh_push_error(L, done);
  lua_pushboolean(L, done);
  return 1;
}

/* dir:fifo_write(name, line): ENXIO when nobody reads the FIFO. */
static int dir_fifo_write(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  return xh_push_result(L, xh_file_fifo_write(dir, name, data, len));
}

/* dir:lock(name [, existing]) -> fd whose close() releases it; EAGAIN when somebody
 * has it. With `existing` the file is not made. */
static int dir_lock(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  bool existing = lua_toboolean(L, 3);
  fd_box *box = new_box(L, FD_TYPE);
  return answer_box(L, box, xh_file_lock(dir, name, !existing));
}

/* dir:socket(name) -> fd for /proc/self/fd; ENOTSOCK when it is a link or anything
 * else. */
static int dir_socket(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  fd_box *box = new_box(L, FD_TYPE);
  return answer_box(L, box, xh_file_socket(dir, name));
}

/* dir:file(name) -> fd of a regular file, for reading. */
static int dir_file(lua_State *L) {
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2);
  fd_box *box = new_box(L, FD_TYPE);
  return answer_box(L, box, xh_file_open(dir, name));
}

/* dir:fd() -> the descriptor's number, borrowed until dir is closed. */
static int dir_fd(lua_State *L) {
  lua_pushinteger(L, xh_check_dir(L, 1));
  return 1;
}

/* memory(label, data) -> fd of an unnamed file in memory. */
static int dir_memory(lua_State *L) {
  size_t len;
  const char *label = luaL_checkstring(L, 1), *data = luaL_checklstring(L, 2, &len);
  fd_box *box = new_box(L, FD_TYPE);
  return answer_box(L, box, xh_file_memory(label, data, len));
}

/* fd:number(); fd:take() -> number, the caller's to close from then on. */
static int fd_number(lua_State *L) {
  fd_box *box = luaL_checkudata(L, 1, FD_TYPE);
  luaL_argcheck(L, box->fd >= 0, 1, "descriptor is closed");
  lua_pushinteger(L, box->fd);
  return 1;
}

static int fd_take(lua_State *L) {
  int n = fd_number(L);
  ((fd_box *)lua_touserdata(L, 1))->fd = -1;
  return n;
}

/* wrap(number) -> fd that is closed with the object. */
static int dir_wrap(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  fd_box *box = new_box(L, FD_TYPE);
  return answer_box(L, box, fd);
}

/* fd:close(), dir:close(): any number of times; nothing after take(). */
static int fd_close(lua_State *L) {
  luaL_checkudata(L, 1, FD_TYPE);
  return box_close(L);
}

static int dir_close(lua_State *L) {
  luaL_checkudata(L, 1, DIR_TYPE);
  return box_close(L);
}

static const luaL_Reg DIR_METHODS[] = {
  {"open", dir_open_below},
  {"inode", dir_inode},
  {"is_private", dir_is_private},
  {"mkdir", dir_mkdir},
  {"mkfifo", dir_mkfifo},
  {"unlink", dir_unlink},
  {"rename", dir_rename},
  {"list", dir_list},
  {"stat", dir_stat},
  {"read", dir_read},
  {"members", dir_members},
  {"read_at", dir_read_at},
  {"write", dir_write},
  {"create", dir_create},
  {"link_once", dir_link_once},
  {"link_synced", dir_link_synced},
  {"rename_new", dir_rename_new},
  {"append", dir_append},
  {"fifo_write", dir_fifo_write},
  {"lock", dir_lock},
  {"socket", dir_socket},
  {"file", dir_file},
  {"fd", dir_fd},
  {"close", dir_close},
  {"remove_tree", dir_remove_tree},
  {NULL, NULL},
};
static const luaL_Reg FD_METHODS[] = {
  {"number", fd_number}, {"take", fd_take}, {"close", fd_close}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {
  {"open", dir_open}, {"memory", dir_memory}, {"wrap", dir_wrap}, {NULL, NULL}};

int luaopen_exhost_dir(lua_State *L) {
  xh_new_type(L, DIR_TYPE, DIR_METHODS, box_close);
  xh_new_type(L, FD_TYPE, FD_METHODS, box_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
