/* guest.c - what the library leaves as it found it. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "embed.h"

extern char **environ;

enum { SIGNALS = 64 };

typedef struct state {
  struct sigaction actions[SIGNALS];
  sigset_t mask;
  mode_t umask;
  char folder[4096];
  char environment[65536];
} state;

static void on_signal(int number) {
  (void)number;
}

static void look(state *s) {
  memset(s, 0, sizeof *s);
  for (int i = 1; i < SIGNALS; i++)
    sigaction(i, NULL, &s->actions[i]);
  pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
  s->umask = umask(0);
  umask(s->umask);
  CHECK(getcwd(s->folder, sizeof s->folder) != NULL);
  size_t used = 0;
  for (char **v = environ; *v != NULL && used < sizeof s->environment; v++)
    used +=
      (size_t)snprintf(s->environment + used, sizeof s->environment - used, "%s\n", *v);
}

static void compare(const state *a, const state *b, const char *when) {
  for (int i = 1; i < SIGNALS; i++) {
    CHECK(a->actions[i].sa_handler == b->actions[i].sa_handler, "%s: signal %d", when,
          i);
    CHECK(a->actions[i].sa_flags == b->actions[i].sa_flags, "%s: signal %d", when, i);
  }
  CHECK(memcmp(&a->mask, &b->mask, sizeof a->mask) == 0, "%s: mask", when);
  CHECK(a->umask == b->umask, "%s: umask", when);
  CHECK(strcmp(a->folder, b->folder) == 0, "%s: working folder", when);
  CHECK(strcmp(a->environment, b->environment) == 0, "%s: environment", when);
}

/* Every thread but ours blocks everything that can be blocked. */
static void check_threads(void) {
  DIR *dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    char path[512], line[256];
    if (atoi(entry->d_name) == 0 || atoi(entry->d_name) == getpid())
      continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "r");
    unsigned long long blocked = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
      sscanf(line, "SigBlk: %llx", &blocked);
    if (file != NULL)
      fclose(file);
    CHECK((blocked & 0x5ffbfeff) == 0x5ffbfeff, "%s blocks %llx", entry->d_name,
          blocked);
  }
  closedir(dir);
}

static int open_sized(size_t size, const char *folder, bool tail) {
  struct {
    exhost_options options;
    char later[64];
  } grown;
  memset(&grown, 0, sizeof grown);
  grown.options.struct_size = size;
  grown.options.state_dir = folder;
  grown.later[3] = tail;
  char why[128] = "";
  if (tail) {
    grown.options.error = why;
    grown.options.error_size = sizeof why;
  }
  exhost_t *host = NULL;
  int code = exhost_open(&grown.options, &host);
  CHECK(!tail || strstr(why, "too old") != NULL, "%s", why);
  CHECK((code == 0) == (host != NULL));
  exhost_close(host, 0);
  return code;
}

/* Callers that were built with an older or newer header. */
static void sizes(const char *folder) {
  exhost_t *host;
  CHECK(exhost_open(NULL, &host) == EXHOST_INVALID);
  CHECK(open_sized(0, folder, false) == EXHOST_INVALID);
  CHECK(open_sized(sizeof(size_t), folder, false) == EXHOST_INVALID);
  CHECK(open_sized(offsetof(exhost_options, executor_id), folder, false) == 0);
  CHECK(open_sized(offsetof(exhost_options, has_log_fd), folder, false) == 0);
  CHECK(open_sized(sizeof(exhost_options), folder, false) == 0);
  CHECK(open_sized(sizeof(exhost_options) + 64, folder, false) == 0);
  CHECK(open_sized(sizeof(exhost_options) + 64, folder, true) == EXHOST_INVALID,
        "an option that is not known here was ignored");
}

static void refused(exhost_options o, int code, const char *why) {
  char error[256] = "";
  o.struct_size = sizeof o;
  o.error = error;
  o.error_size = sizeof error;
  exhost_t *host = NULL;
  CHECK(exhost_open(&o, &host) == code && host == NULL);
  CHECK(strstr(error, why) != NULL, "%s", error);
}

/* What cannot be opened is told with a code and with words. */
static void wrong(const char *folder) {
  refused((exhost_options){.state_dir = "relative"}, EXHOST_INVALID, "absolute path");
  refused((exhost_options){.state_dir = folder, .executor_id = "a/b"}, EXHOST_INVALID,
          "executor id");
  refused((exhost_options){.state_dir = folder, .config = "{\"x\":1}"}, EXHOST_INVALID,
          "unknown field \"x\"");
  refused((exhost_options){.state_dir = folder, .ceiling = "7"}, EXHOST_INVALID,
          "ceiling: ");
  refused((exhost_options){.state_dir = folder, .ceiling = "{\"memmory\":5}"},
          EXHOST_INVALID, "ceiling.memmory: unknown field (did you mean \"memory\"?)");
  refused((exhost_options){.state_dir = folder, .prefix = "/nonexistent"},
          EXHOST_NOT_FOUND, "set prefix");
  refused((exhost_options){.state_dir = folder, .has_log_fd = 1, .log_fd = 9999},
          EXHOST_INVALID, "log_fd");
}

static void two_hosts(const char *folder) {
  char other[512];
  snprintf(other, sizeof other, "%s-other", folder);
  exhost_t *a = open_host(folder), *b = open_host(other), *same = open_host(folder);
  answers(a, EXHOST_OK, "start", job("shared", "exit 0"));
  answers(b, EXHOST_NOT_FOUND, "status", with_id("shared"));
  answers(same, EXHOST_OK, "wait", with_id("shared"));
  answers(b, EXHOST_OK, "run", job("shared", "exit 0"));
  exhost_close(a, 0);
  answers(same, EXHOST_OK, "cleanup", "{}");
  answers(b, EXHOST_OK, "cleanup", "{}");
  exhost_close(b, 0);
  exhost_close(same, 0);
}

int main(int argc, char **argv) {
  static state before, during, after;
  const char *folder = argv[argc - 1];
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGCHLD, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  sigset_t some;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &some, NULL);
  look(&before);
  exhost_t *host = open_host(folder);
  answers(host, EXHOST_OK, "run", job("first", "kill -USR1 $PPID; exit 0"));
  check_threads();
  look(&during);
  answers(host, EXHOST_OK, "cleanup", "{}");
  exhost_close(host, 0);
  look(&after);
  compare(&before, &during, "while it is open");
  compare(&before, &after, "after it was closed");
  sizes(folder);
  wrong(folder);
  two_hosts(folder);
  CHECK(exhost_api_version() == EXHOST_API_VERSION);
  CHECK(strcmp(exhost_strerror(EXHOST_NOT_FOUND), "not_found") == 0);
  CHECK(strcmp(exhost_strerror(-99), "unknown") == 0);
  return 0;
}
