/* inspect.c - what an engine says of a container's state. */
#include "inspect.h"

#include <string.h>

#include "text.h"

static void copy(char *to, size_t size, const char *value) {
  size_t len = strlen(value);
  if (len >= size)
    len = 0; /* no time, status or id is so long */
  memcpy(to, value, len);
  to[len] = '\0';
}

static void take_string(xh_inspect *i, const char *name, const char *value) {
  if (strcmp(name, "Status") == 0)
    copy(i->status, sizeof i->status, value);
  else if (strcmp(name, "StartedAt") == 0)
    copy(i->started_at, sizeof i->started_at, value);
  else if (strcmp(name, "FinishedAt") == 0)
    copy(i->finished_at, sizeof i->finished_at, value);
  else if (strcmp(name, "Error") == 0)
    copy(i->error, sizeof i->error, value);
}

static void take_scalar(xh_inspect *i, const char *name, const char *value) {
  bool on = strcmp(value, "true") == 0;
  if (strcmp(name, "Running") == 0) {
    i->known = true;
    i->running = on;
  } else if (strcmp(name, "Paused") == 0) {
    i->paused = on;
  } else if (strcmp(name, "Restarting") == 0) {
    i->restarting = on;
  } else if (strcmp(name, "OOMKilled") == 0) {
    i->oom_killed = on;
  } else if (strcmp(name, "ExitCode") == 0) {
    i->has_code = xh_text_parse(value, 10, &i->code);
  }
}

static void take(void *user, const char *key, const char *inner, const char *value,
                 bool is_string) {
  xh_inspect *i = user;
  if (inner == NULL) {
    if (strcmp(key, "RestartCount") == 0 && !is_string)
      xh_text_parse(value, 10, &i->restarts);
    else if (strcmp(key, "Image") == 0 && is_string)
      copy(i->image, sizeof i->image, value);
  } else if (strcmp(key, "State") == 0) {
    (is_string ? take_string : take_scalar)(i, inner, value);
  }
}

void xh_inspect_begin(xh_inspect *i, xh_json *json) {
  *i = (xh_inspect){0};
  *json = (xh_json){.fn = take, .user = i};
}

static void take_waited(void *user, const char *key, const char *inner,
                        const char *value, bool is_string) {
  xh_waited *w = user;
  if (strcmp(key, "StatusCode") == 0 && inner == NULL && !is_string)
    w->has_code = xh_text_parse(value, 10, &w->code);
  else if (strcmp(key, "Error") == 0 && strcmp(value, "null") != 0)
    w->failed = true;
}

void xh_waited_begin(xh_waited *w, xh_json *json) {
  *w = (xh_waited){0};
  *json = (xh_json){.fn = take_waited, .user = w};
}

void xh_inspect_end(xh_inspect *i, uint64_t code) {
  i->running = false;
  i->has_code = true;
  i->code = code;
  copy(i->status, sizeof i->status, "exited");
}

bool xh_inspect_created(const xh_inspect *i) {
  return !i->running && strcmp(i->status, "created") == 0;
}

/* podman says "stopping", and not that it runs, of what has got its signal and still
 * does. */
bool xh_inspect_over(const xh_inspect *i) {
  bool stopping = strcmp(i->status, "stopping") == 0;
  return !i->running && !i->paused && !i->restarting && !stopping;
}
