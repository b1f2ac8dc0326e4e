/* docker_floor.c - the least that a client of a Docker engine can do: requests over its
 * unix socket, their answers read and not parsed.
 *
 *   docker_floor run SOCKET BODY NAME N   N executions, one after the other, of the
 * container in the file BODY: create, start, wait, logs, remove. A line each: ms, and
 * ms of processor time docker_floor output SOCKET BODY NAME  one that is attached to
 * before it is started: seconds up to the end of its output, MiB, seconds of processor
 * time docker_floor wait SOCKET NAME         when /wait answers, as seconds of the
 * monotonic clock
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
  HEAD_SIZE = 8, /* of a frame */
  ANSWER_SIZE = 1 << 20,
  BODY_SIZE = 1 << 16,
  PATH_SIZE = 512
};

typedef struct {
  int fd;
  size_t size;
  char bytes[ANSWER_SIZE];
} connection;

static const char *socket_path;
static char container_body[BODY_SIZE];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double processor(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
         (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *what, const char *words) {
  fprintf(stderr, "docker_floor: %s: %s\n", what, words);
  exit(1);
}

static connection *dial(void) {
  connection *c = malloc(sizeof *c);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (c == NULL || strlen(socket_path) >= sizeof address.sun_path)
    fail("socket", socket_path);
  strcpy(address.sun_path, socket_path);
  c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
    fail("connect", socket_path);
  return c;
}

static void request(connection *c, const char *method, const char *path,
                    const char *more, const char *body) {
  char text[BODY_SIZE + PATH_SIZE + 256];
  int size = snprintf(text, sizeof text,
                      "%s /v1.41/containers/%s HTTP/1.1\r\nHost: engine\r\n%s"
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                      method, path, more, strlen(body), body);
  if (write(c->fd, text, (size_t)size) != size)
    fail("write", path);
  c->size = 0;
}

/* Whether an answer is whole: its length is told, or it ends with an empty chunk. */
static int is_whole(const connection *c) {
  const char *body = strstr(c->bytes, "\r\n\r\n"), *length;
  if (body == NULL)
    return 0;
  length = strstr(c->bytes, "\r\nContent-Length: ");
  if (length != NULL && length < body)
    return c->size >= (size_t)(body + 4 - c->bytes) + strtoul(length + 18, NULL, 10);
  if (strncmp(c->bytes + 9, "204", 3) == 0)
    return 1;
  return c->size >= 5 && memcmp(c->bytes + c->size - 5, "0\r\n\r\n", 5) == 0;
}

static void receive(connection *c, const char *status, const char *what) {
  do {
    ssize_t n = read(c->fd, c->bytes + c->size, sizeof c->bytes - 1 - c->size);
    if (n <= 0)
      fail(what, "the answer ends early");
    c->size += (size_t)n;
    c->bytes[c->size] = '\0';
  } while (!is_whole(c));
  if (strncmp(c->bytes + 9, status, 3) != 0)
    fail(what, c->bytes);
}

static void call(connection *c, const char *method, const char *name, const char *rest,
                 const char *status) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s%s", name, rest);
  request(c, method, path, "", "");
  receive(c, status, rest);
}

static void create(connection *c, const char *name) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "create?name=%s", name);
  request(c, "POST", path, "", container_body);
  receive(c, "201", "create");
}

static void bench_run(const char *name, int n) {
  connection *c = dial();
  for (int i = 0; i < n; i++) {
    double start = now(), used = processor();
    create(c, name);
    call(c, "POST", name, "/start", "204");
    call(c, "POST", name, "/wait?condition=not-running", "200");
    call(c, "GET", name, "/logs?stdout=1&stderr=1&follow=1", "200");
    call(c, "DELETE", name, "?force=1&v=1", "204");
    printf("%.3f %.3f\n", (now() - start) * 1e3, (processor() - used) * 1e3);
  }
  close(c->fd);
  free(c);
}

/* The bytes of frames in a stream that is cut anywhere. */
typedef struct {
  unsigned char head[HEAD_SIZE];
  size_t in_head, left;
} frames;

static size_t payload(frames *f, const char *bytes, size_t size) {
  size_t total = 0;
  while (size > 0) {
    size_t taken = f->left < size ? f->left : size;
    if (f->left == 0) {
      f->head[f->in_head++] = (unsigned char)*bytes;
      taken = 1;
      if (f->in_head == HEAD_SIZE) {
        f->in_head = 0;
        f->left = (size_t)f->head[4] << 24 | (size_t)f->head[5] << 16 |
                  (size_t)f->head[6] << 8 | f->head[7];
      }
    } else {
      f->left -= taken;
      total += taken;
    }
    bytes += taken;
    size -= taken;
  }
  return total;
}

static void bench_output(const char *name) {
  connection *c = dial(), *attached = dial();
  frames f = {.left = 0};
  size_t total = 0;
  ssize_t n;
  char path[PATH_SIZE];
  double start = now(), used = processor();
  create(c, name);
  snprintf(path, sizeof path, "%s/attach?stream=1&stdout=1&stderr=1", name);
  request(attached, "POST", path, "Connection: Upgrade\r\nUpgrade: tcp\r\n", "");
  do {
    if (read(attached->fd, attached->bytes + attached->size, 1) != 1)
      fail("attach", "the answer ends early");
    attached->bytes[++attached->size] = '\0';
  } while (strstr(attached->bytes, "\r\n\r\n") == NULL);
  call(c, "POST", name, "/start", "204");
  while ((n = read(attached->fd, attached->bytes, 65536)) > 0)
    total += payload(&f, attached->bytes, (size_t)n);
  call(c, "POST", name, "/wait?condition=not-running", "200");
  printf("%.3f %.3f %.3f\n", now() - start, (double)total / 1048576,
         processor() - used);
  call(c, "DELETE", name, "?force=1&v=1", "204");
}

static void read_body(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL)
    fail("open", path);
  container_body[fread(container_body, 1, sizeof container_body - 1, file)] = '\0';
  fclose(file);
}

int main(int argc, char **argv) {
  if (argc < 4)
    fail("usage",
         "run SOCKET BODY NAME N | output SOCKET BODY NAME | wait SOCKET NAME");
  socket_path = argv[2];
  if (strcmp(argv[1], "run") == 0 && argc == 6) {
    read_body(argv[3]);
    bench_run(argv[4], atoi(argv[5]));
  } else if (strcmp(argv[1], "output") == 0 && argc == 5) {
    read_body(argv[3]);
    bench_output(argv[4]);
  } else if (strcmp(argv[1], "wait") == 0 && argc == 4) {
    connection *c = dial();
    call(c, "POST", argv[3], "/wait?condition=not-running", "200");
    printf("%.6f\n", now());
  } else {
    fail("usage", argv[1]);
  }
  return 0;
}
