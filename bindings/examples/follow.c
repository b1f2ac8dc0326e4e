/* follow.c - start a job, follow its output, print its result.
 *
 *     cc follow.c $(pkg-config --cflags --libs exhost) -o follow
 *     ./follow STATE_DIR -- ARGV...
 */
#include <errno.h>
#include <exhost.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START = 1, LOGS, WAIT }; /* our tags */

static void fail(const char *what, const char *why) {
  fprintf(stderr, "follow: %s: %s\n", what, why);
  exit(1);
}

/* A call and its answer. Real programs have many calls in flight, and go by the tag. */
static exhost_event *ask(exhost_t *host, uint64_t tag, const char *method,
                         const char *json) {
  exhost_event *event = NULL;
  int code = exhost_call(host, tag, method, json, strlen(json), -1);
  if (code == EXHOST_OK)
    code = exhost_next(host, &event, -1);
  if (code < 0)
    fail(method, exhost_strerror(code));
  if (event->code < 0)
    fail(method, event->json);
  return event;
}

/* Words as a JSON array. Control characters are left out, to keep this short. */
static void append_words(char *json, size_t size, char **words) {
  size_t used = strlen(json);
  for (char **word = words; *word != NULL && used + 4 < size; word++) {
    json[used++] = word == words ? '"' : ',';
    if (word != words)
      json[used++] = '"';
    for (const char *c = *word; *c != '\0' && used + 5 < size; c++) {
      if (*c == '"' || *c == '\\')
        json[used++] = '\\';
      if ((unsigned char)*c >= ' ')
        json[used++] = *c;
    }
    json[used++] = '"';
  }
  json[used] = '\0';
}

/* The pipe does not block: wait, read, until its end. */
static void copy_output(int fd) {
  char buffer[65536];
  ssize_t got;
  do {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    poll(&readable, 1, -1);
    got = read(fd, buffer, sizeof buffer);
    if (got > 0)
      fwrite(buffer, 1, (size_t)got, stdout);
  } while (got > 0 || (got < 0 && errno == EAGAIN));
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 4 || strcmp(argv[2], "--") != 0)
    fail("usage", "follow STATE_DIR -- ARGV...");
  char why[256] = "", request[8192], params[8300], id[256] = "";
  exhost_options options = {.struct_size = sizeof options};
  options.state_dir = argv[1];
  options.error = why;
  options.error_size = sizeof why;
  exhost_t *host;
  if (exhost_open(&options, &host) < 0)
    fail("open", why);

  snprintf(request, sizeof request,
           "{\"request\":{\"execution_id\":\"follow-%d\","
           "\"engine_spec\":{\"type\":\"process\",\"params\":{\"cmd\":[",
           (int)getpid());
  append_words(request, sizeof request - 8, argv + 3);
  strcat(request, "]}}}}");
  exhost_event_free(ask(host, START, "start", request));

  snprintf(id, sizeof id, "\"id\":\"follow-%d\"", (int)getpid());
  snprintf(params, sizeof params, "{%s,\"follow\":true}", id);
  exhost_event *logs = ask(host, LOGS, "get_log_stream", params);
  copy_output(logs->fd);
  exhost_event_free(logs); /* closes the pipe */

  snprintf(params, sizeof params, "{%s}", id);
  exhost_event *result = ask(host, WAIT, "wait", params);
  printf("%s\n", result->json);
  exhost_event_free(result);
  exhost_close(host, 0); /* nobody is in exhost_next() */
  return 0;
}
