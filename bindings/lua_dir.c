/* lua_dir.c - module exhost.dir: folders held open, and files below them.
 *
 * Names are single path components (core/file.h). Everything answers a value, or
 * nil, "ENOENT: no such file or directory", "ENOENT". */
#include "lua_dir.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static const char DIR_TYPE[] = "exhost.dir";
static const char FD_TYPE[] = "exhost.fd";

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
  {"read", xh_lua_dir_read},
  {"members", xh_lua_dir_members},
  {"read_at", xh_lua_dir_read_at},
  {"write", xh_lua_dir_write},
  {"create", xh_lua_dir_create},
  {"link_once", xh_lua_dir_link_once},
  {"link_synced", xh_lua_dir_link_synced},
  {"sync", xh_lua_dir_sync},
  {"rename_new", dir_rename_new},
  {"append", xh_lua_dir_append},
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
