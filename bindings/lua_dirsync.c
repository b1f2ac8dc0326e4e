/* lua_dirsync.c - module exhost.dir: what waits for the disk, in libuv's thread pool.
 */
#include "lua_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

typedef struct sync_job {
  uv_work_t work;
  xh_lua *x;
  xh_ref done;
  int (*run)(const struct sync_job *j);
  int dir, result; /* dir is our duplicate: the caller may close its own */
  char name[NAME_MAX + 1];
  size_t len;
  char data[];
} sync_job;

static int link_once(const sync_job *j) {
  return xh_file_link_once(j->dir, j->name, j->data, j->len, true);
}

static int sync_names(const sync_job *j) {
  return xh_dir_sync(j->dir, j->data, j->len);
}

static void on_thread(uv_work_t *work) {
  sync_job *j = work->data;
  j->result = j->run(j);
}

static void on_loop(uv_work_t *work, int status) {
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

/* Queue a job on a folder with a copy of the data; the function at index `done` is told
 * of its end. Returns what the method returns. */
static int queue(lua_State *L, int (*run)(const sync_job *j), int dir, const char *name,
                 const char *data, size_t len, int done) {
  sync_job *j = calloc(1, sizeof *j + len);
  if (j == NULL)
    return xh_push_error(L, UV_ENOMEM);
  j->work.data = j;
  j->x = xh_lua_from(L);
  j->run = run;
  j->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
  j->len = len;
  memcpy(j->data, data, len);
  snprintf(j->name, sizeof j->name, "%s", name);
  int err =
    j->dir < 0 ? -errno : uv_queue_work(&j->x->loop->uv, &j->work, on_thread, on_loop);
  if (err < 0) {
    if (j->dir >= 0)
      close(j->dir);
    free(j);
    return xh_push_error(L, err);
  }
  xh_ref_set(j->x, L, &j->done, done);
  lua_pushboolean(L, 1);
  return 1;
}

/* dir:link_synced(name, data, done): as link_once, and on the disk with its name;
 * done(true | nil, message, name). */
int xh_lua_dir_link_synced(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  const char *name = xh_check_name(L, 2), *data = luaL_checklstring(L, 3, &len);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  if (strlen(name) > NAME_MAX)
    return xh_push_error(L, UV_ENAMETOOLONG);
  return queue(L, link_once, dir, name, data, len, 4);
}

/* Push the names in the list at index, each with its NUL, as one string. */
static const char *push_names(lua_State *L, int index, size_t *len) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  int count = (int)lua_objlen(L, index);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, index, i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, index, "names expected");
    lua_pushstring(L, xh_check_name(L, lua_gettop(L)));
    lua_remove(L, -2);
    luaL_addvalue(&b);
    luaL_addchar(&b, '\0');
  }
  luaL_pushresult(&b);
  return lua_tolstring(L, -1, len);
}

/* dir:sync(names, done): those regular files below the folder, and then the folder
 * itself, are on the disk; done(true | nil, message, name). */
int xh_lua_dir_sync(lua_State *L) {
  size_t len;
  int dir = xh_check_dir(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  const char *names = push_names(L, 2, &len);
  return queue(L, sync_names, dir, "", names, len, 3);
}
