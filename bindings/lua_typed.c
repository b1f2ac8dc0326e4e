/* lua_typed.c - module exhost.typed: code that people type at a prompt can be stopped,
 * and takes turns with everything else.
 *
 * A hook looks at whatever Lua runs, every so many instructions. Code was typed when a
 * function on the stack carries a prompt's name as its chunk's, or when a chunk of a
 * prompt runs the coroutine. Such code is stopped, or suspended for a turn of the loop,
 * at its own functions only: never inside the library, whose state would be torn. */
#include "lua.h"

#include <stdio.h>
#include <string.h>

static const char TYPED_KEY = 0, TASKS_KEY = 0;
static const char PROMPT_TYPE[] = "exhost.prompt";

enum { EVERY = 1000, SOON = 61, NAME = 32, LEVELS = 200 };

static void hook(lua_State *L, lua_Debug *at);

static const uint64_t TURN_NS = 10 * 1000 * 1000;    /* then others have theirs */
static const uint64_t HOLD_NS = 1000 * 1000 * 1000L; /* where no turn can be given */

typedef struct prompt prompt;

struct xh_typed {
  prompt *prompts;
  uint64_t entry, since; /* the loop's call that runs, and when it was first seen */
  bool soon;             /* the next look comes sooner than EVERY */
  int stopping;          /* how many prompts are to be stopped */
  char library[512];     /* where the library's sources are, as a chunk's name */
};

struct prompt {
  prompt *next;
  xh_lua *x;
  bool open, interrupted, terminal;
  lua_State *co;     /* the chunk that runs, which its owner keeps alive */
  char source[NAME]; /* "=NAME" */
};

/* --- who runs --------------------------------------------------------------------- */

static bool is_typed(const char *source) {
  return strncmp(source, "=prompt", 7) == 0;
}

static prompt *named(xh_typed *t, const char *source) {
  for (prompt *p = t->prompts; p != NULL; p = p->next)
    if (strcmp(p->source, source) == 0)
      return p;
  return NULL;
}

/* Whether typed code runs in L; *out is its prompt, NULL when that one is closed. */
static bool find_prompt(xh_typed *t, lua_State *L, prompt **out) {
  lua_Debug at;
  for (int level = 0; level < LEVELS && lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "S", &at);
    if (is_typed(at.source)) {
      *out = named(t, at.source);
      return true;
    }
  }
  for (prompt *p = t->prompts; p != NULL; p = p->next)
    if (p->co != NULL &&
        (p->co == L || (lua_status(p->co) == 0 && lua_getstack(p->co, 0, &at)))) {
      *out = p;
      return true;
    }
  return false;
}

static bool is_task(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&TASKS_KEY);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushthread(L);
  lua_rawget(L, -2);
  bool found = lua_istable(L, -1);
  if (found) { /* async.lua resumes it in the loop's next turn */
    lua_pushliteral(L, "preempted");
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
  return found;
}

/* Ours, compiled ours, or a backend: what holds locks and half-made things. */
static bool is_library(const xh_typed *t, const char *source) {
  return strncmp(source, t->library, strlen(t->library)) == 0 ||
         strncmp(source, "@lua/exhost/", 12) == 0 ||
         (source[0] == '@' && strstr(source, "/backends/") != NULL);
}

/* Whether the library runs. A function without a line is C or one of LuaJIT's own in
 * bytecode (table.remove): it is part of what called it. */
static bool in_library(const xh_typed *t, lua_State *L) {
  lua_Debug at;
  for (int level = 0; level < LEVELS && lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "S", &at);
    if (at.linedefined >= 0)
      return is_library(t, at.source);
  }
  return false;
}

/* A signal that the loop has not come to yet is the terminal's Ctrl-C. */
static bool told_to_stop(xh_lua *x, prompt *p) {
  if (p == NULL || p->interrupted)
    return p != NULL;
  if (p->terminal && __atomic_exchange_n(&x->signal, 0, __ATOMIC_ACQ_REL) != 0) {
    __atomic_store_n(&x->unheeded, 0, __ATOMIC_RELEASE);
    p->interrupted = true;
    x->typed->stopping++;
  }
  return p->interrupted;
}

/* Typed code is in the library now and may be back soon. Not after a fixed number of
 * instructions: a loop of that length would be looked at in the same place for ever. */
static void look_soon(xh_typed *t, lua_State *L, uint64_t now) {
  t->soon = true;
  lua_sethook(L, hook, LUA_MASKCOUNT, 1 + (int)(now / 64 % SOON));
}

static void look_as_usual(xh_typed *t, lua_State *L) {
  if (t->soon)
    lua_sethook(L, hook, LUA_MASKCOUNT, EVERY);
  t->soon = false;
}

static void hook(lua_State *L, lua_Debug *at) {
  (void)at;
  xh_lua *x = xh_lua_from(L);
  xh_typed *t = x->typed;
  prompt *p = NULL;
  uint64_t now = uv_hrtime();
  if (t->entry != x->entries) {
    t->entry = x->entries;
    t->since = now;
  }
  uint64_t ran = now - t->since;
  look_as_usual(t, L);
  if (ran < TURN_NS && t->stopping == 0 &&
      __atomic_load_n(&x->signal, __ATOMIC_ACQUIRE) == 0)
    return;
  if (!find_prompt(t, L, &p))
    return;
  if (in_library(t, L)) {
    look_soon(t, L, now);
    return;
  }
  if (told_to_stop(x, p)) {
    lua_sethook(L, hook, LUA_MASKCOUNT, 1); /* again at once if it is caught */
    luaL_error(L, "interrupted");
  }
  if (ran < TURN_NS)
    return;
  if (p == NULL)
    luaL_error(L, "stopped: its prompt is closed, and it does not suspend");
  if (lua_isyieldable(L) && is_task(L)) {
    lua_yield(L, 0);
    return;
  }
  if (ran > HOLD_NS && !p->terminal)
    luaL_error(L, "stopped: it held the host for a second; only a task's own functions "
                  "give others a turn (async.spawn)");
}

/* --- prompts ---------------------------------------------------------------------- */

static prompt *check_prompt(lua_State *L) {
  return luaL_checkudata(L, 1, PROMPT_TYPE);
}

static void go_on(lua_State *L, prompt *p) {
  if (!p->interrupted)
    return;
  p->interrupted = false;
  if (--p->x->typed->stopping == 0)
    lua_sethook(L, hook, LUA_MASKCOUNT, EVERY);
}

/* watch(): go on looking, after somebody else had a hook. Before start(): nothing. */
static int typed_watch(lua_State *L) {
  if (xh_lua_from(L)->typed != NULL)
    lua_sethook(L, hook, LUA_MASKCOUNT, EVERY);
  return 0;
}

/* start(tasks, library): before the first prompt. tasks: task by coroutine; library:
 * the folder of sources that are never stopped in the middle. */
static int typed_start(lua_State *L) {
  xh_lua *x = xh_lua_from(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *library = luaL_checkstring(L, 2);
  if (x->typed != NULL)
    return typed_watch(L);
  lua_pushlightuserdata(L, (void *)&TYPED_KEY);
  xh_typed *t = lua_newuserdata(L, sizeof *t);
  *t = (xh_typed){0};
  snprintf(t->library, sizeof t->library, "@%s", library);
  lua_rawset(L, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(L, (void *)&TASKS_KEY);
  lua_pushvalue(L, 1);
  lua_rawset(L, LUA_REGISTRYINDEX);
  x->typed = t;
  lua_sethook(L, hook, LUA_MASKCOUNT, EVERY);
  return 0;
}

/* prompt(name, terminal) -> prompt. Chunks are named "=" .. name, which begins with
 * "prompt". `terminal`: it is the terminal's own: signals stop it, and it may hold the
 * host for as long as it likes. */
static int typed_prompt(lua_State *L) {
  xh_lua *x = xh_lua_from(L);
  const char *name = luaL_checkstring(L, 1);
  luaL_argcheck(L, strncmp(name, "prompt", 6) == 0 && strlen(name) < NAME - 1, 1,
                "expected prompt…, at most 30 bytes");
  luaL_argcheck(L, x->typed != NULL, 1, "start() comes first");
  prompt *p = lua_newuserdata(L, sizeof *p);
  *p = (prompt){
    .next = x->typed->prompts, .x = x, .open = true, .terminal = lua_toboolean(L, 2)};
  snprintf(p->source, sizeof p->source, "=%s", name);
  luaL_getmetatable(L, PROMPT_TYPE);
  lua_setmetatable(L, -2);
  x->typed->prompts = p;
  return 1;
}

/* prompt:enter(coroutine): it runs a chunk from now on. */
static int prompt_enter(lua_State *L) {
  prompt *p = check_prompt(L);
  luaL_checktype(L, 2, LUA_TTHREAD);
  go_on(L, p);
  p->co = lua_tothread(L, 2);
  typed_watch(L);
  return 0;
}

/* prompt:leave(): the chunk has ended. An interrupt still holds for what it left. */
static int prompt_leave(lua_State *L) {
  prompt *p = check_prompt(L);
  if (p->interrupted)
    lua_sethook(L, hook, LUA_MASKCOUNT, EVERY);
  p->co = NULL;
  return 0;
}

/* prompt:interrupt(): an error is raised in what was typed, also in what it left
 * behind, until the next chunk. */
static int prompt_interrupt(lua_State *L) {
  prompt *p = check_prompt(L);
  if (p->open && !p->interrupted) {
    p->interrupted = true;
    p->x->typed->stopping++;
  }
  return 0;
}

/* prompt:close(). Any number of times. */
static int prompt_close(lua_State *L) {
  prompt *p = check_prompt(L);
  if (!p->open)
    return 0;
  go_on(L, p);
  for (prompt **at = &p->x->typed->prompts; *at != NULL; at = &(*at)->next)
    if (*at == p) {
      *at = p->next;
      break;
    }
  p->open = false;
  p->co = NULL;
  return 0;
}

static const luaL_Reg METHODS[] = {{"enter", prompt_enter},
                                   {"leave", prompt_leave},
                                   {"interrupt", prompt_interrupt},
                                   {"close", prompt_close},
                                   {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"start", typed_start},
                                     {"watch", typed_watch},
                                     {"prompt", typed_prompt},
                                     {NULL, NULL}};

int luaopen_exhost_typed(lua_State *L) {
  xh_new_type(L, PROMPT_TYPE, METHODS, prompt_close);
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  return 1;
}
