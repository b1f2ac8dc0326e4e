/* baseline.c - what exhost is measured against, and the jobs it is measured with.
 *
 *   baseline spawn N            vfork + exec + wait of /bin/true: p50 and p90, us
 *   baseline exec N PROGRAM…    the same for any program, its output discarded
 *   baseline write SIZE TOTAL   write TOTAL bytes to stdout in writes of SIZE
 *   baseline pipe FILE PROGRAM… PROGRAM's stdout through a pipe into `cat > FILE`: ms
 *   baseline first PROGRAM…     until its first byte on stdout, when it is killed: us
 *   baseline stamp N MS         N lines with the time, one every MS
 *   baseline latency            reads such lines: p50 and p90 of their age, us
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static void print_percentiles(int64_t *ns, int n) {
  qsort(ns, (size_t)n, sizeof *ns, by_size);
  printf("%.1f %.1f\n", (double)ns[n / 2] / 1e3, (double)ns[n * 9 / 10] / 1e3);
}

static int run_program(char **argv, int output) {
  int status = -1;
  pid_t pid = vfork();
  if (pid == 0) {
    if (output >= 0)
      dup2(output, 1);
    execvp(argv[0], argv);
    _exit(127);
  }
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int bench_exec(int n, char **argv) {
  int64_t *ns = calloc((size_t)n, sizeof *ns);
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (int i = 0; i < n; i++) {
    int64_t start = now_ns();
    if (run_program(argv, null) != 0)
      return 1;
    ns[i] = now_ns() - start;
  }
  print_percentiles(ns, n);
  free(ns);
  return 0;
}

static int write_bytes(size_t size, size_t total) {
  char *block = malloc(size);
  memset(block, 'x', size);
  block[size - 1] = '\n';
  for (size_t done = 0; done < total;) {
    ssize_t n = write(1, block, size);
    if (n < 0)
      return 1;
    done += (size_t)n;
  }
  free(block);
  return 0;
}

static int bench_pipe(const char *file, char **argv) {
  int ends[2], out = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (out < 0 || pipe(ends) != 0)
    return 1;
  int64_t start = now_ns();
  pid_t writer = fork();
  if (writer == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    execvp(argv[0], argv);
    _exit(127);
  }
  pid_t cat = fork();
  if (cat == 0) {
    dup2(ends[0], 0);
    dup2(out, 1);
    close(ends[0]);
    close(ends[1]);
    execlp("cat", "cat", (char *)NULL);
    _exit(127);
  }
  close(ends[0]);
  close(ends[1]);
  waitpid(writer, NULL, 0);
  waitpid(cat, NULL, 0);
  printf("%.1f\n", (double)(now_ns() - start) / 1e6);
  return 0;
}

static int bench_first(char **argv) {
  char byte;
  int ends[2];
  if (pipe(ends) != 0)
    return 1;
  int64_t start = now_ns();
  pid_t pid = vfork();
  if (pid == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    execvp(argv[0], argv);
    _exit(127);
  }
  close(ends[1]);
  ssize_t got = read(ends[0], &byte, 1);
  printf("%.1f\n", (double)(now_ns() - start) / 1e3);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return got == 1 ? 0 : 1;
}

static int stamp(int n, int ms) {
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  for (int i = 0; i < n; i++) {
    char line[32];
    nanosleep(&pause, NULL);
    int len = snprintf(line, sizeof line, "%lld\n", (long long)now_ns());
    if (write(1, line, (size_t)len) != len)
      return 1;
  }
  return 0;
}

static int latency(void) {
  enum { MOST = 100000 };
  int64_t *ns = calloc(MOST, sizeof *ns);
  int n = 0;
  char line[64];
  while (n < MOST && fgets(line, sizeof line, stdin) != NULL) {
    int64_t then = strtoll(line, NULL, 10);
    ns[n++] = now_ns() - then;
  }
  if (n > 0)
    print_percentiles(ns, n);
  free(ns);
  return n > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  static char *true_argv[] = {"/bin/true", NULL};
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "spawn") == 0 && argc == 3)
    return bench_exec(atoi(argv[2]), true_argv);
  if (strcmp(what, "exec") == 0 && argc > 3)
    return bench_exec(atoi(argv[2]), argv + 3);
  if (strcmp(what, "write") == 0 && argc == 4)
    return write_bytes(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
  if (strcmp(what, "pipe") == 0 && argc > 3)
    return bench_pipe(argv[2], argv + 3);
  if (strcmp(what, "first") == 0 && argc > 2)
    return bench_first(argv + 2);
  if (strcmp(what, "stamp") == 0 && argc == 4)
    return stamp(atoi(argv[2]), atoi(argv[3]));
  if (strcmp(what, "latency") == 0)
    return latency();
  fprintf(stderr, "baseline: see the head of baseline.c\n");
  return 2;
}
