/* storm.c - many threads, calls that are cut off, streams that are dropped, processes
 * of the embedder's own beside them. Every call answers once, and every exit is known.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "embed.h"

enum { THREADS = 8, SLOTS = 1 << 16 };

static exhost_t *host;
static double ends;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static exhost_event *answer_of[SLOTS];
static uint64_t last_tag;
static long runs, programs;

static void put(exhost_event *event) {
  pthread_mutex_lock(&lock);
  CHECK(answer_of[event->tag % SLOTS] == NULL, "tag %d twice", (int)event->tag);
  answer_of[event->tag % SLOTS] = event;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *drain(void *unused) {
  (void)unused;
  exhost_event *event;
  while (exhost_next(host, &event, -1) == 0)
    put(event);
  return NULL;
}

static uint64_t send(const char *method, const char *json, int64_t timeout) {
  pthread_mutex_lock(&lock);
  uint64_t tag = ++last_tag;
  pthread_mutex_unlock(&lock);
  if (tag % 2 == 0) {
    CHECK(exhost_call(host, tag, method, json, strlen(json), timeout) == 0);
    return tag;
  }
  exhost_event *event;
  CHECK(exhost_call_now(host, tag, method, json, strlen(json), timeout, &event) == 0);
  if (event != NULL)
    put(event);
  return tag;
}

static exhost_event *receive(uint64_t tag) {
  pthread_mutex_lock(&lock);
  while (answer_of[tag % SLOTS] == NULL)
    pthread_cond_wait(&changed, &lock);
  exhost_event *event = answer_of[tag % SLOTS];
  answer_of[tag % SLOTS] = NULL;
  pthread_mutex_unlock(&lock);
  return event;
}

static void one_job(unsigned *seed, int thread, int number) {
  char id[64], script[64], expected[32];
  int code = rand_r(seed) % 5;
  snprintf(id, sizeof id, "s%d-%d", thread, number);
  snprintf(script, sizeof script, "echo x; exit %d", code);
  snprintf(expected, sizeof expected, "\"exit_code\":%d", code);
  int64_t timeout = rand_r(seed) % 3 == 0 ? rand_r(seed) % 40 : -1;
  uint64_t tag = send("run", job(id, script), timeout);
  if (rand_r(seed) % 4 == 0) {
    usleep((useconds_t)(rand_r(seed) % 10000));
    exhost_cancel(host, tag);
  }
  exhost_event *event = receive(tag);
  CHECK(event->code == 0 || event->code == EXHOST_CANCELLED ||
          event->code == EXHOST_TIMEOUT,
        "%s", event->json);
  if (event->code == 0) {
    CHECK(strstr(event->json, expected) != NULL, "%s: %s", expected, event->json);
    __atomic_add_fetch(&runs, 1, __ATOMIC_RELAXED);
  }
  exhost_event_free(event);
  char json[128];
  snprintf(json, sizeof json, "{\"id\":\"%s\",\"follow\":true}", id);
  exhost_event_free(receive(send("get_log_stream", json, 20))); /* dropped unread */
  event = receive(send("remove", with_id(id), -1));
  CHECK(event->code == 0 || event->code == EXHOST_NOT_FOUND, "%s", event->json);
  exhost_event_free(event);
}

static void *work(void *arg) {
  int thread = (int)(intptr_t)arg;
  unsigned seed = (unsigned)thread;
  for (int i = 0; now() < ends; i++)
    one_job(&seed, thread, i);
  return NULL;
}

/* The embedder's own children, each awaited by its id. */
static void *spawn_programs(void *unused) {
  (void)unused;
  char *argv[] = {"/bin/sh", "-c", "exit 9", NULL}, *env[] = {NULL};
  while (now() < ends) {
    pid_t pid;
    int status = 0;
    CHECK(posix_spawn(&pid, argv[0], NULL, NULL, argv, env) == 0);
    while (waitpid(pid, &status, 0) < 0)
      CHECK(errno == EINTR, "an exit was stolen: %s", strerror(errno));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9, "%x", status);
    programs++;
    kill(getpid(), SIGUSR1);
  }
  return NULL;
}

static void on_signal(int number) {
  (void)number;
}

int main(int argc, char **argv) {
  const char *seconds = getenv("EXHOST_STORM_SECONDS");
  ends = now() + (seconds != NULL ? atof(seconds) : 5);
  signal(SIGUSR1, on_signal);
  signal(SIGCHLD, on_signal);
  host = open_host(argv[argc - 1]);
  answers(host, EXHOST_OK, "run", job("first", "exit 0"));
  answers(host, EXHOST_OK, "subscribe", "{}"); /* has the loop open its inotify */
  int fds = entries("/proc/self/fd");
  pthread_t drainer, spawner, threads[THREADS];
  pthread_create(&drainer, NULL, drain, NULL);
  pthread_create(&spawner, NULL, spawn_programs, NULL);
  for (intptr_t i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, work, (void *)i);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  pthread_join(spawner, NULL);
  exhost_event *event = receive(send("cleanup", "{\"backend\":\"process\"}", -1));
  CHECK(event->code == 0, "%s", event->json);
  exhost_event_free(event);
  settle(fds);
  int status;
  CHECK(waitpid(-1, &status, WNOHANG) <= 0, "a zombie is left");
  exhost_close(host, -1);
  pthread_join(drainer, NULL);
  CHECK(runs > 0 && programs > 0);
  return 0;
}
