/* lua_json.c - module exhost.json_core: what of JSON is done for every value, for
 * lua/exhost/json.lua, which says what it means.
 *
 * Everything may raise out of memory: what is allocated belongs to Lua. */
#include "lua_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"

enum {
  MAX_DEPTH = 100,
  KEPT = 64 << 10, /* bytes of the buffers that stay from one call to the next */
};

/* Upvalues of encode, and arguments of the module's open(). */
enum { ARRAY = 1, NULL_VALUE, UPVALUES = NULL_VALUE, OUT, MEMBERS };

/* Stack slots of encode. */
enum { VALUE = 1, INDENT, RAW, PATH, WHY };

/* A member's name; its string is alive as the object's key. */
typedef struct member {
  const char *name;
  size_t len;
} member;

typedef struct encoder {
  lua_State *L;
  xh_buffer *out, *members; /* members: of all objects that are being written */
  const void *tables[MAX_DEPTH];
  int depth;
  bool indent, raw;
} encoder;

static void put(encoder *e, const char *data, size_t len) {
  if (xh_buffer_append(e->out, data, len) < 0)
    luaL_error(e->L, "not enough memory");
}

static void put_text(encoder *e, const char *data, size_t len) {
  put(e, "\"", 1);
  int err = e->raw ? xh_jsontext_append_raw(e->out, data, len)
                   : xh_jsontext_append(e->out, data, len);
  if (err < 0)
    luaL_error(e->L, "not enough memory");
  put(e, "\"", 1);
}

static void put_line(encoder *e) {
  if (!e->indent)
    return;
  put(e, "\n", 1);
  for (int i = 0; i < e->depth; i++)
    put(e, "  ", 2);
}

/* The reason is a format for the name of a type, or has none. */
static bool fail(encoder *e, const char *why, int type) {
  lua_pushfstring(e->L, why, lua_typename(e->L, type));
  lua_replace(e->L, WHY);
  return false;
}

static bool fail_at(encoder *e, size_t item) {
  lua_pushinteger(e->L, (lua_Integer)item);
  xh_json_note_key(e->L, PATH);
  return false;
}

static bool fail_below(encoder *e, const member *m) {
  lua_pushlstring(e->L, m->name, m->len);
  xh_json_note_key(e->L, PATH);
  return false;
}

/* printf writes the decimal point as the process's locale has it, maybe in several
 * bytes. */
static size_t with_point(char *digits) {
  char *out = digits;
  for (const char *p = digits; *p != '\0'; p++) {
    bool known = strchr("0123456789+-e", *p) != NULL;
    if (known)
      *out++ = *p;
    else if (out[-1] != '.')
      *out++ = '.';
  }
  return (size_t)(out - digits);
}

/* Whole numbers in digits, others in the shortest form that reads back equal. */
static bool write_number(encoder *e) {
  char digits[64];
  lua_Number x = lua_tonumber(e->L, -1);
  if (isnan(x) || isinf(x))
    return fail(e, "not a finite number", LUA_TNONE);
  if (fabs(x) < 0x1p63 && (lua_Number)(int64_t)x == x) {
    put(e, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, (int64_t)x));
    return true;
  }
  if (fabs(x) >= 0x1p63 && fabs(x) < 0x1p64) {
    put(e, digits, (size_t)snprintf(digits, sizeof digits, "%.0f", x));
    return true;
  }
  for (int precision = 14; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, x);
    if (strtod(digits, NULL) == x)
      break;
  }
  put(e, digits, with_point(digits));
  return true;
}

static bool is_upvalue(lua_State *L, int index, int upvalue) {
  return lua_rawequal(L, index, lua_upvalueindex(upvalue));
}

static bool is_marked(lua_State *L) {
  if (!lua_getmetatable(L, -1))
    return false;
  bool marked = is_upvalue(L, -1, ARRAY);
  lua_pop(L, 1);
  return marked;
}

static int compare(const void *left, const void *right) {
  const member *a = left, *b = right;
  int order = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);
  return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static member *member_at(encoder *e, size_t i) {
  return (member *)(void *)e->members->data + i;
}

/* Tell an array from an object: the number of its items, or of its members, which are
 * sorted behind `first`. */
static bool classify(encoder *e, size_t first, size_t *items, size_t *named) {
  lua_State *L = e->L;
  bool marked = is_marked(L);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    int type = lua_type(L, -2);
    if (type == LUA_TSTRING) {
      member m;
      m.name = lua_tolstring(L, -2, &m.len);
      if (xh_buffer_append(e->members, &m, sizeof m) < 0)
        luaL_error(L, "not enough memory");
    } else if (type == LUA_TNUMBER) {
      (*items)++;
    } else {
      lua_pop(L, 2);
      return fail(e, "a key is a %s", type);
    }
  }
  *named = e->members->len / sizeof(member) - first;
  if (*named > 0 && *items > 0)
    return fail(e, "a table is both array and object", LUA_TNONE);
  if (*named > 0 && marked) {
    fail(e, "an array has a name", LUA_TNONE);
    return fail_below(e, member_at(e, first));
  }
  if (*named > 1)
    qsort(member_at(e, first), *named, sizeof(member), compare);
  return true;
}

static bool write_value(encoder *e);

static bool write_items(encoder *e, size_t count) {
  lua_State *L = e->L;
  for (size_t i = 1; i <= count; i++) {
    if (i > 1)
      put(e, ",", 1);
    put_line(e);
    lua_rawgeti(L, -1, (int)i);
    bool hole = lua_isnil(L, -1), written = !hole && write_value(e);
    lua_pop(L, 1);
    if (hole)
      return fail(e, "an array has holes", LUA_TNONE);
    if (!written)
      return fail_at(e, i);
  }
  return true;
}

static bool write_members(encoder *e, size_t first, size_t count) {
  lua_State *L = e->L;
  for (size_t i = 0; i < count; i++) {
    member m = *member_at(e, first + i); /* they move as others are added */
    if (i > 0)
      put(e, ",", 1);
    put_line(e);
    put_text(e, m.name, m.len);
    put(e, ": ", e->indent ? 2 : 1);
    lua_pushlstring(L, m.name, m.len);
    lua_rawget(L, -2);
    bool written = write_value(e);
    lua_pop(L, 1);
    if (!written)
      return fail_below(e, &m);
  }
  return true;
}

static bool write_table(encoder *e) {
  lua_State *L = e->L;
  const void *table = lua_topointer(L, -1);
  size_t first = e->members->len / sizeof(member), items = 0, named = 0;
  for (int i = 0; i < e->depth; i++)
    if (e->tables[i] == table)
      return fail(e, "a table contains itself", LUA_TNONE);
  if (e->depth == MAX_DEPTH)
    return fail(e, "nested too deeply", LUA_TNONE);
  luaL_checkstack(L, 8, "JSON");
  if (!classify(e, first, &items, &named))
    return false;
  bool array = items > 0 || (named == 0 && is_marked(L));
  put(e, array ? "[" : "{", 1);
  if (items + named > 0) {
    e->tables[e->depth++] = table;
    if (!(array ? write_items(e, items) : write_members(e, first, named)))
      return false;
    e->depth--;
    e->members->len = first * sizeof(member);
    put_line(e);
  }
  put(e, array ? "]" : "}", 1);
  return true;
}

/* Write the value on top of the stack, which stays. False: see WHY and PATH. */
static bool write_value(encoder *e) {
  lua_State *L = e->L;
  int type = lua_type(L, -1);
  size_t len;
  const char *text;
  switch (type) {
  case LUA_TSTRING:
    text = lua_tolstring(L, -1, &len);
    put_text(e, text, len);
    return true;
  case LUA_TNUMBER:
    return write_number(e);
  case LUA_TBOOLEAN:
    text = lua_toboolean(L, -1) ? "true" : "false";
    put(e, text, strlen(text));
    return true;
  case LUA_TTABLE:
    if (!is_upvalue(L, -1, NULL_VALUE))
      return write_table(e);
    put(e, "null", 4);
    return true;
  default:
    return fail(e, "a %s has no JSON form", type);
  }
}

static void empty(xh_buffer *b) {
  b->len = 0;
  if (b->cap > KEPT)
    xh_buffer_free(b);
}

/* encode(value, indent, raw) -> string | nil, reason, its path, innermost key first */
static int json_encode(lua_State *L) {
  lua_settop(L, RAW);
  encoder e = {.L = L,
               .out = lua_touserdata(L, lua_upvalueindex(OUT)),
               .members = lua_touserdata(L, lua_upvalueindex(MEMBERS)),
               .indent = lua_toboolean(L, INDENT),
               .raw = lua_toboolean(L, RAW)};
  empty(e.out);
  empty(e.members);
  lua_settop(L, WHY);
  lua_pushvalue(L, VALUE);
  if (write_value(&e)) {
    lua_pushlstring(L, e.out->data, e.out->len);
    return 1;
  }
  lua_pushnil(L);
  lua_pushvalue(L, WHY);
  lua_pushvalue(L, PATH);
  return 3;
}

/* open(array, null, number) -> encode, tidy, is_plain. array: the metatable of arrays;
 * null: the value that is written as null; number(x) writes what C would write by its
 * locale. */
static int json_open(lua_State *L) {
  lua_settop(L, UPVALUES);
  luaL_checktype(L, ARRAY, LUA_TTABLE);
  luaL_checktype(L, NULL_VALUE, LUA_TTABLE);
  lua_pushvalue(L, ARRAY);
  lua_pushvalue(L, NULL_VALUE);
  xh_lua_buffer(L);
  xh_lua_buffer(L);
  lua_pushcclosure(L, json_encode, MEMBERS);
  lua_pushvalue(L, ARRAY);
  lua_pushcclosure(L, xh_json_tidy, 1);
  lua_pushcfunction(L, xh_json_is_plain);
  return 3;
}

int luaopen_exhost_json_core(lua_State *L) {
  static const luaL_Reg FUNCTIONS[] = {{"open", json_open}, {NULL, NULL}};
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
