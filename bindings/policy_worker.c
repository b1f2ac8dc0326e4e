/* policy_worker.c - exhost-policy: the jail that policies run in.
 *
 * JSON lines on stdin and stdout, handled by the driver (lua/exhost/policy/driver.lua),
 * which is loaded first. Then, before any of a policy is seen, the process enters
 * seccomp's strict mode, in which it can read, write, return from a signal and leave,
 * and nothing else: whatever a policy does concerns this process alone. Limits:
 * - memory: a count of what Lua holds; past it Lua is out of memory;
 * - processor time: a tick every TICK_MS of it; past the soft limit a hook raises an
 *   error again and again until the call is over. A call into C that never ends is for
 *   the host to kill. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum {
  TICK_MS = 5,
  MEMORY_MAX = 8 << 20,
  HEAP = 24 << 20, /* given to malloc before the filter, as it cannot grow after */
  LINE_MAX_IN = 4 << 20,
  ANSWER_MAX = 512 << 10, /* the driver gives less */
};

int luaopen_cjson(lua_State *L);

typedef struct budget {
  size_t used;
} budget;

static lua_State *state;
static volatile sig_atomic_t ticks, limit_ticks = 1 << 30;
static char where[LUA_IDSIZE + 16];
static char line[LINE_MAX_IN];

static void *allocate(void *user, void *old, size_t old_size, size_t size) {
  budget *b = user;
  if (old == NULL)
    old_size = 0;
  if (size == 0) {
    free(old);
    b->used -= old_size;
    return NULL;
  }
  if (size > old_size && b->used + (size - old_size) > MEMORY_MAX)
    return NULL;
  void *block = realloc(old, size);
  if (block != NULL)
    b->used += size - old_size;
  return block;
}

/* Raised at every step from then on, so that no pcall can swallow it. Where it was at
 * first is kept for the answer. */
static void too_long(lua_State *L, lua_Debug *ar) {
  if (where[0] == '\0' && lua_getinfo(L, "Sl", ar) != 0)
    snprintf(where, sizeof where, "%s:%d", ar->short_src, ar->currentline);
  luaL_error(L, "it takes too long");
}

static void on_tick(int sig) {
  (void)sig;
  if (++ticks >= limit_ticks && state != NULL)
    lua_sethook(state, too_long, LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKLINE, 1);
}

/* No exit_group: the filter allows the plain one alone. */
static void leave(int code) {
  for (;;)
    syscall(SYS_exit, code);
}

static void write_all(const char *data, size_t len) {
  while (len > 0) {
    ssize_t n = write(STDOUT_FILENO, data, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      leave(3);
    data += n;
    len -= (size_t)n;
  }
}

/* One line into `line`; its length, or -1 at the end. Reads byte runs, so the host
 * sends one line and waits for the answer. */
static ssize_t read_line(void) {
  size_t have = 0;
  for (;;) {
    ssize_t n = read(STDIN_FILENO, line + have, sizeof line - have);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    have += (size_t)n;
    if (line[have - 1] == '\n')
      return (ssize_t)have - 1;
    if (have == sizeof line)
      return -1;
  }
}

/* One write: the host is woken once. */
static void answer(const char *data, size_t len) {
  static char out[ANSWER_MAX + 1];
  if (len > ANSWER_MAX)
    leave(3);
  memcpy(out, data, len);
  out[len] = '\n';
  write_all(out, len + 1);
}

/* Calls driver.load(text) or driver.call(text), which answer one JSON line. What
 * raises there nevertheless is answered in plain words. */
static void serve(lua_State *L, const char *function, size_t len, int soft_ms) {
  static const char BROKEN[] = "{\"error\":\"it is out of memory\",\"spent\":true}";
  char late[sizeof where + 100];
  lua_settop(L, 1); /* the driver */
  ticks = 0;
  where[0] = '\0';
  limit_ticks = soft_ms / TICK_MS + 1;
  lua_getfield(L, 1, function);
  lua_pushlstring(L, line, len);
  int rc = lua_pcall(L, 1, 1, 0);
  limit_ticks = 1 << 30;
  lua_sethook(L, NULL, 0, 0);
  size_t size = 0;
  const char *text = lua_tolstring(L, -1, &size);
  if (where[0] != '\0')
    answer(late, (size_t)snprintf(late, sizeof late,
                                  "{\"error\":\"%s: it takes longer than %d ms\"}",
                                  where, soft_ms));
  else if (rc == 0 && text != NULL)
    answer(text, size);
  else
    answer(BROKEN, sizeof BROKEN - 1);
  lua_settop(L, 1);
  if (rc != 0)
    lua_gc(L, LUA_GCCOLLECT, 0);
  lua_getfield(L, 1, "rest");
  lua_pcall(L, 0, 0, 0); /* out of memory: then the next call is */
  lua_settop(L, 1);
}

static int open_libraries(lua_State *L) {
  static const luaL_Reg LIBRARIES[] = {
    {"", luaopen_base},     {"table", luaopen_table}, {"string", luaopen_string},
    {"math", luaopen_math}, {"debug", luaopen_debug}, {"bit", luaopen_bit},
    {"jit", luaopen_jit},   {"cjson", luaopen_cjson},
  };
  for (size_t i = 0; i < sizeof LIBRARIES / sizeof *LIBRARIES; i++) {
    lua_pushcfunction(L, LIBRARIES[i].func);
    lua_pushstring(L, LIBRARIES[i].name);
    lua_call(L, 1, LIBRARIES[i].func == luaopen_cjson);
  }
  lua_setglobal(L, "cjson");
  if (luaL_dostring(L, "jit.off() jit.flush()") != 0) /* luaopen_jit turned it on */
    return lua_error(L);
  return 0;
}

/* Everything that may ask the kernel for something the first time is done once: the
 * unwinder takes a lock at the first error. */
static void warm_up(lua_State *L) {
  for (int i = 0; i < 2; i++) {
    if (luaL_dostring(L, "error('warm')") != 0)
      lua_settop(L, 0);
  }
  void *heap = malloc(HEAP);
  free(heap);
}

static void start_ticks(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  struct itimerval every = {{0, TICK_MS * 1000}, {0, TICK_MS * 1000}};
  sigaction(SIGVTALRM, &action, NULL);
  setitimer(ITIMER_VIRTUAL, &every, NULL);
}

static bool enter_jail(void) {
#ifdef EXHOST_NO_SECCOMP
  return true; /* sanitizers make calls of their own */
#else
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0;
#endif
}

/* argv: the driver's file, milliseconds of the soft limit. */
int main(int argc, char **argv) {
  static budget memory;
  if (argc != 3)
    return 2;
  int soft_ms = atoi(argv[2]);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_DUMPABLE, 0);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, HEAP);
  lua_State *L = lua_newstate(allocate, &memory);
  if (L == NULL || lua_cpcall(L, (lua_CFunction)open_libraries, NULL) != 0)
    return 1;
  warm_up(L);
  if (luaL_loadfile(L, argv[1]) != 0 || lua_pcall(L, 0, 1, 0) != 0) {
    fprintf(stderr, "exhost-policy: %s\n", lua_tostring(L, -1));
    return 1;
  }
  start_ticks();
  if (!enter_jail())
    return 1;
  state = L;
  const char *function = "load";
  ssize_t len;
  while ((len = read_line()) >= 0) {
    serve(L, function, (size_t)len, soft_ms);
    function = "call";
  }
  leave(0);
}
