/* calls.c - calls that are wrong, late, or not wanted any more. */
#include <sys/resource.h>

#include "embed.h"

enum { HUGE_SIZE = 64 * 1024 * 1024 };

static void wrong(exhost_t *host) {
  CHECK(exhost_call(host, 1, NULL, NULL, 0, -1) == EXHOST_INVALID);
  CHECK(exhost_call(host, 1, "list", NULL, 5, -1) == EXHOST_INVALID);
  answers(host, EXHOST_INVALID, "list", "{");
  answers(host, EXHOST_INVALID, "list", "7");
  answers(host, EXHOST_INVALID, "list", "\"text\"");
  answers(host, EXHOST_INVALID, "list", "[1]");
  answers(host, EXHOST_INVALID, "list", "{\"unknown\":1}");
  answers(host, EXHOST_INVALID, "no_such_method", "{}");
  answers(host, EXHOST_INVALID, "", "{}");
  answers(host, EXHOST_INVALID, "wait", "{}");
  answers(host, EXHOST_INVALID, "wait", "{\"id\":7}");
  answers(host, EXHOST_INVALID, "start", "{\"request\":{\"nothing\":true}}");
  answers(host, EXHOST_NOT_FOUND, "wait", with_id("nobody"));
  answers(host, EXHOST_NOT_FOUND, "wait", with_id("../../etc"));
  answers(host, EXHOST_OK, "list", "");
  CHECK(exhost_call(host, 2, "list", NULL, 0, -1) == 0);
  exhost_event_free(expect(host, 2));
}

static void huge(exhost_t *host) {
  char *text = malloc(HUGE_SIZE);
  CHECK(text != NULL);
  memset(text, '[', HUGE_SIZE);
  CHECK(exhost_call(host, 1, "start", text, HUGE_SIZE, -1) == 0);
  exhost_event *event = expect(host, 1);
  CHECK(event->code == EXHOST_INVALID, "%.100s", event->json);
  CHECK(event->len < 4096, "%zu bytes of text", event->len);
  exhost_event_free(event);

  const char *head = "{\"request\":{\"job_id\":\"huge\",\"engine_spec\":{\"params\":{"
                     "\"cmd\":[\"/bin/true\",\"";
  const char *tail = "\"]}}}}";
  memset(text, 'x', HUGE_SIZE);
  memcpy(text, head, strlen(head));
  memcpy(text + HUGE_SIZE - strlen(tail), tail, strlen(tail));
  CHECK(exhost_call(host, 2, "start", text, HUGE_SIZE, -1) == 0);
  event = expect(host, 2);
  CHECK(event->code == EXHOST_INVALID, "%.100s", event->json);
  CHECK(event->len < 4096, "%zu bytes of text", event->len);
  exhost_event_free(event);
  free(text);
  answers(host, EXHOST_NOT_FOUND, "status", with_id("huge"));
}

static void late(exhost_t *host) {
  const char *json = job("late", "exit 0");
  CHECK(exhost_call(host, 1, "start", json, strlen(json), 0) == 0);
  exhost_event *event = expect(host, 1);
  CHECK(event->code == EXHOST_TIMEOUT, "%s", event->json);
  exhost_event_free(event);
  answers(host, EXHOST_NOT_FOUND, "status", with_id("late"));

  answers(host, EXHOST_OK, "start", job("long", "sleep 60"));
  for (int64_t ms = 0; ms < 100; ms += 49) {
    const char *id = with_id("long");
    CHECK(exhost_call(host, 2, "wait", id, strlen(id), ms) == 0);
    event = expect(host, 2);
    CHECK(event->code == EXHOST_TIMEOUT, "%s", event->json);
    exhost_event_free(event);
  }
}

/* The call is cancelled, not the execution. */
static void cancelled(exhost_t *host) {
  CHECK(exhost_cancel(host, 99) == 0);
  begin(host, 3, "wait", with_id("long"));
  begin(host, 3, "wait", with_id("long"));
  begin(host, 4, "wait", with_id("long"));
  CHECK(exhost_cancel(host, 3) == 0);
  CHECK(exhost_cancel(host, 3) == 0);
  for (int i = 0; i < 2; i++) {
    exhost_event *event = expect(host, 3);
    CHECK(event->code == EXHOST_CANCELLED, "%s", event->json);
    exhost_event_free(event);
  }
  exhost_event *event;
  CHECK(exhost_next(host, &event, 20) == EXHOST_TIMEOUT);
  exhost_cancel(host, 4);
  exhost_event_free(expect(host, 4));
  answers(host, EXHOST_OK, "status", with_id("long"));
}

/* What answers at once comes with the call, and all else as an event: never both. */
static void at_once(exhost_t *host) {
  const char *id = with_id("long");
  exhost_event *event;
  CHECK(exhost_call_now(host, 6, NULL, NULL, 0, -1, &event) == EXHOST_INVALID);
  CHECK(event == NULL);
  CHECK(exhost_call_now(host, 6, "id", NULL, 0, -1, &event) == 0);
  CHECK(event != NULL && event->tag == 6 && event->code == EXHOST_OK);
  exhost_event_free(event);
  CHECK(exhost_call_now(host, 6, "id", "{", 1, -1, &event) == 0);
  CHECK(event != NULL && event->code == EXHOST_INVALID);
  exhost_event_free(event);
  CHECK(exhost_call_now(host, 6, "wait", id, strlen(id), -1, &event) == 0);
  CHECK(event == NULL);
  CHECK(exhost_next(host, &event, 20) == EXHOST_TIMEOUT);
  CHECK(exhost_cancel(host, 6) == 0);
  event = expect(host, 6);
  CHECK(event->code == EXHOST_CANCELLED, "%s", event->json);
  exhost_event_free(event);
}

/* Who waits first watches and others follow. When it leaves, one of those takes over.
 */
static void followers(exhost_t *host) {
  answers(host, EXHOST_OK, "start", job("followed", "sleep 60"));
  for (uint64_t tag = 100; tag < 110; tag++)
    begin(host, tag, "wait", with_id("followed"));
  for (uint64_t tag = 100; tag < 105; tag++) {
    CHECK(exhost_cancel(host, tag) == 0);
    exhost_event *event = expect(host, tag);
    CHECK(event->code == EXHOST_CANCELLED, "%s", event->json);
    exhost_event_free(event);
  }
  exhost_event *event;
  CHECK(exhost_next(host, &event, 20) == EXHOST_TIMEOUT);
  begin(host, 99, "remove", with_id("followed"));
  unsigned left = 0;
  for (int i = 0; i < 6; i++) {
    CHECK(exhost_next(host, &event, 30000) == 0);
    CHECK(event->code == EXHOST_OK, "%s", event->json);
    if (event->tag != 99)
      left |= 1u << (event->tag - 105);
    exhost_event_free(event);
  }
  CHECK(left == 31, "answered: %x", left);
}

/* One that cannot take over is answered by the cancel of another. */
static void followers_without_descriptors(exhost_t *host) {
  struct rlimit before, none;
  begin(host, 200, "wait", with_id("long"));
  begin(host, 201, "wait", with_id("long"));
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = before;
  none.rlim_cur = 3;
  answers(host, EXHOST_OK, "status", with_id("long")); /* both have begun */
  CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
  CHECK(exhost_cancel(host, 200) == 0);
  int code[2] = {0, 0};
  for (int i = 0; i < 2; i++) {
    exhost_event *event;
    CHECK(exhost_next(host, &event, 30000) == 0);
    CHECK(event->tag == 200 || event->tag == 201);
    code[event->tag - 200] = event->code;
    exhost_event_free(event);
  }
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(code[0] == EXHOST_CANCELLED, "%d", code[0]);
  CHECK(code[1] < 0 && code[1] != EXHOST_CANCELLED, "%d", code[1]);
  answers(host, EXHOST_OK, "status", with_id("long"));
}

/* A start that is cancelled has happened or has not. */
static void cancelled_starts(exhost_t *host) {
  for (int i = 0; i < 50; i++) {
    char id[32];
    snprintf(id, sizeof id, "start-%d", i);
    begin(host, 5, "start", job(id, "sleep 60"));
    usleep((useconds_t)i * 100);
    CHECK(exhost_cancel(host, 5) == 0);
    exhost_event *event = expect(host, 5);
    int code = event->code;
    CHECK(code == EXHOST_OK || code == EXHOST_CANCELLED, "%s", event->json);
    exhost_event_free(event);
    answers(host, code == EXHOST_OK ? EXHOST_OK : EXHOST_NOT_FOUND, "status",
            with_id(id));
  }
}

int main(int argc, char **argv) {
  exhost_t *host = open_host(argv[argc - 1]);
  wrong(host);
  huge(host);
  late(host);
  cancelled(host);
  at_once(host);
  followers(host);
  followers_without_descriptors(host);
  cancelled_starts(host);
  answers(host, EXHOST_OK, "cleanup", "{}");
  exhost_close(host, 0);
  return 0;
}
