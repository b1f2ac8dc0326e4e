/* lua_dir.h - methods of a folder that read and write the files below it
 * (lua_dirfile.c), or wait for the disk (lua_dirsync.c). */
#ifndef XH_LUA_DIR_H
#define XH_LUA_DIR_H

#include "lua.h"

int xh_lua_dir_read(lua_State *L);
int xh_lua_dir_members(lua_State *L);
int xh_lua_dir_read_at(lua_State *L);
int xh_lua_dir_write(lua_State *L);
int xh_lua_dir_create(lua_State *L);
int xh_lua_dir_link_once(lua_State *L);
int xh_lua_dir_link_synced(lua_State *L);
int xh_lua_dir_sync(lua_State *L);
int xh_lua_dir_append(lua_State *L);

#endif
