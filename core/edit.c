/* edit.c - a line editor on the terminal (libedit), in a thread of its own. */
#include "edit.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wchar.h>

#include "symbols.h"

enum { HISTORY = 1000 };

/* --- libedit ---------------------------------------------------------------------- */

typedef struct libedit {
  EditLine *(*init)(const char *, FILE *, FILE *, FILE *);
  void (*end)(EditLine *);
  void (*reset)(EditLine *);
  void (*resize)(EditLine *);
  int (*set)(EditLine *, int, ...);
  int (*get)(EditLine *, int, ...);
  const char *(*gets)(EditLine *, int *);
  const LineInfo *(*line)(EditLine *);
  int (*source)(EditLine *, const char *);
  History *(*history_init)(void);
  void (*history_end)(History *);
  int (*history)(History *, HistEvent *, int, ...);
} libedit;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static libedit el;
static char problem[256];

static void open_library(void) {
  static const xh_symbol FUNCTIONS[] = {
    {"el_init", offsetof(libedit, init)},
    {"el_end", offsetof(libedit, end)},
    {"el_reset", offsetof(libedit, reset)},
    {"el_resize", offsetof(libedit, resize)},
    {"el_set", offsetof(libedit, set)},
    {"el_get", offsetof(libedit, get)},
    {"el_gets", offsetof(libedit, gets)},
    {"el_line", offsetof(libedit, line)},
    {"el_source", offsetof(libedit, source)},
    {"history_init", offsetof(libedit, history_init)},
    {"history_end", offsetof(libedit, history_end)},
    {"history", offsetof(libedit, history)},
  };
  xh_symbols_open("libedit.so.2", &el, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS,
                  problem, sizeof problem);
}

/* --- what both threads see, under the lock ---------------------------------------- */

struct xh_edit {
  uv_async_t told;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int wake;     /* an eventfd: ends a read of the terminal */
  char *prompt; /* a line is asked for */
  char *insert, *list;
  bool reading, aborting, closing, asking, answered, pending;
  xh_edit_event event;
  char *text;
  xh_edit_fn fn;
  void *user;
  /* the thread's own, but for the history between two lines */
  EditLine *line;
  History *history;
  char *taken;        /* what the last completion put in, */
  const char *put_in; /* and the rest of it */
  char shown[128];
};

static bool stopped(const xh_edit *e) {
  return e->aborting || e->closing;
}

/* Tell the loop. The lock is held. */
static void tell(xh_edit *e, xh_edit_event event, const char *text, size_t len) {
  free(e->text);
  e->text = text == NULL ? NULL : strndup(text, len);
  e->event = event;
  e->pending = true;
  uv_async_send(&e->told);
}

/* --- the thread ------------------------------------------------------------------- */

static char *show_prompt(EditLine *line) {
  xh_edit *e = NULL;
  el.get(line, EL_CLIENTDATA, &e);
  return e->shown;
}

/* What the loop puts in for a TAB; the lock is held. */
static void complete(xh_edit *e, EditLine *line) {
  const LineInfo *info = el.line(line);
  e->answered = false;
  e->asking = true;
  tell(e, XH_EDIT_TAB, info->buffer, (size_t)(info->cursor - info->buffer));
  while (!e->answered && !stopped(e))
    pthread_cond_wait(&e->changed, &e->lock);
  e->asking = false;
  if (e->answered && e->list[0] != '\0') {
    printf("\n%s\n", e->list);
    el.set(line, EL_REFRESH);
  }
  if (!e->answered)
    return;
  free(e->taken);
  e->taken = e->insert;
  e->insert = NULL;
  e->put_in = e->taken; /* as if it were typed */
  e->answered = false;
}

/* The next byte: of what a completion puts in, or of the terminal. 0: the end, or that
 * we are to stop. */
static int read_byte(xh_edit *e, char *out) {
  struct pollfd fds[] = {{.fd = 0, .events = POLLIN},
                         {.fd = e->wake, .events = POLLIN}};
  if (e->put_in != NULL && *e->put_in != '\0') {
    *out = *e->put_in++;
    return 1;
  }
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR)
      return -1;
    if (fds[1].revents != 0)
      return 0;
    if (fds[0].revents == 0)
      continue;
    ssize_t n = read(0, out, 1);
    if (n >= 0 || (errno != EINTR && errno != EAGAIN))
      return (int)n;
  }
}

/* libedit's way to a character. TAB never gets to it: its own way to a function of ours
 * leaks the function's name. */
static int read_char(EditLine *line, wchar_t *out) {
  xh_edit *e = NULL;
  mbstate_t state = {0};
  el.get(line, EL_CLIENTDATA, &e);
  for (;;) {
    char byte;
    int n = read_byte(e, &byte);
    if (n <= 0)
      return n;
    if (byte == '\t') {
      pthread_mutex_lock(&e->lock);
      complete(e, line);
      pthread_mutex_unlock(&e->lock);
      continue;
    }
    size_t used = mbrtowc(out, &byte, 1, &state);
    if (used == (size_t)-1)
      state = (mbstate_t){0}; /* no text: left out */
    else if (used != (size_t)-2)
      return 1;
  }
}

static void set_up(xh_edit *e) {
  HistEvent ignored;
  e->line = el.init("exhost", stdin, stdout, stderr);
  e->history = el.history_init();
  if (e->line == NULL || e->history == NULL)
    return;
  el.set(e->line, EL_CLIENTDATA, e);
  el.set(e->line, EL_PROMPT, show_prompt);
  el.set(e->line, EL_EDITOR, "emacs");
  el.set(e->line, EL_GETCFN, read_char);
  el.history(e->history, &ignored, H_SETSIZE, HISTORY);
  el.history(e->history, &ignored, H_SETUNIQUE, 1);
  el.set(e->line, EL_HIST, el.history, e->history);
  el.set(e->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el.source(e->line, NULL); /* the user's ~/.editrc */
}

/* Edit a line. The lock is not held. */
static void edit_line(xh_edit *e) {
  int count = 0;
  const char *text = NULL;
  if (e->line != NULL && e->history != NULL) {
    el.resize(e->line);
    text = el.gets(e->line, &count);
  }
  pthread_mutex_lock(&e->lock);
  e->reading = false;
  e->put_in = NULL;
  if (e->aborting) {
    uint64_t drained;
    ssize_t n = read(e->wake, &drained, sizeof drained);
    (void)n;
    e->aborting = false;
    el.reset(e->line);
    tell(e, XH_EDIT_ABORT, NULL, 0);
  } else if (text == NULL || count <= 0) {
    tell(e, XH_EDIT_END, NULL, 0);
  } else {
    tell(e, XH_EDIT_LINE, text, strcspn(text, "\r\n"));
  }
  pthread_mutex_unlock(&e->lock);
}

static void *run(void *arg) {
  xh_edit *e = arg;
  pthread_mutex_lock(&e->lock);
  while (!e->closing) {
    if (e->prompt == NULL) {
      pthread_cond_wait(&e->changed, &e->lock);
      continue;
    }
    snprintf(e->shown, sizeof e->shown, "%s", e->prompt);
    free(e->prompt);
    e->prompt = NULL;
    pthread_mutex_unlock(&e->lock);
    edit_line(e);
    pthread_mutex_lock(&e->lock);
  }
  pthread_mutex_unlock(&e->lock);
  return NULL;
}

/* --- the loop's side -------------------------------------------------------------- */

static void on_told(uv_async_t *handle) {
  xh_edit *e = handle->data;
  pthread_mutex_lock(&e->lock);
  bool pending = e->pending;
  xh_edit_event event = e->event;
  char *text = e->text;
  e->text = NULL;
  e->pending = false;
  pthread_mutex_unlock(&e->lock);
  if (pending && !e->closing)
    e->fn(e, event, text, e->user);
  free(text);
}

int xh_edit_open(xh_edit **out, uv_loop_t *loop, xh_edit_fn fn, void *user,
                 const char **why) {
  pthread_once(&once, open_library);
  *why = problem;
  if (problem[0] != '\0')
    return UV_ENOSYS;
  if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
    setlocale(LC_CTYPE, "C.UTF-8");
  xh_edit *e = calloc(1, sizeof *e);
  if (e == NULL)
    return UV_ENOMEM;
  e->fn = fn;
  e->user = user;
  e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (e->wake < 0) {
    free(e);
    return UV_EMFILE;
  }
  pthread_mutex_init(&e->lock, NULL);
  pthread_cond_init(&e->changed, NULL);
  uv_async_init(loop, &e->told, on_told);
  e->told.data = e;
  set_up(e);
  if (pthread_create(&e->thread, NULL, run, e) != 0)
    abort(); /* no thread, no memory: nothing was typed yet */
  *out = e;
  return 0;
}

static void wake(xh_edit *e) {
  uint64_t one = 1;
  ssize_t n = write(e->wake, &one, sizeof one);
  (void)n;
  pthread_cond_broadcast(&e->changed);
}

int xh_edit_read(xh_edit *e, const char *prompt) {
  pthread_mutex_lock(&e->lock);
  int err = e->reading ? UV_EBUSY : 0;
  if (err == 0) {
    e->reading = true;
    e->prompt = strdup(prompt);
    pthread_cond_broadcast(&e->changed);
  }
  pthread_mutex_unlock(&e->lock);
  return err;
}

int xh_edit_answer(xh_edit *e, const char *insert, const char *list) {
  pthread_mutex_lock(&e->lock);
  if (!e->asking || e->answered) { /* too late: the line was dropped */
    pthread_mutex_unlock(&e->lock);
    return 0;
  }
  free(e->insert);
  free(e->list);
  e->insert = strdup(insert);
  e->list = strdup(list);
  int err = e->insert == NULL || e->list == NULL ? UV_ENOMEM : 0;
  e->answered = err == 0;
  pthread_cond_broadcast(&e->changed);
  pthread_mutex_unlock(&e->lock);
  return err;
}

void xh_edit_abort(xh_edit *e) {
  pthread_mutex_lock(&e->lock);
  if (e->reading && !e->aborting) {
    e->aborting = true;
    wake(e);
  }
  pthread_mutex_unlock(&e->lock);
}

int xh_edit_remember(xh_edit *e, const char *line) {
  HistEvent ignored;
  pthread_mutex_lock(&e->lock);
  int err = e->reading ? UV_EBUSY : 0;
  if (err == 0 && e->history != NULL)
    el.history(e->history, &ignored, H_ENTER, line);
  pthread_mutex_unlock(&e->lock);
  return err;
}

static void on_closed(uv_handle_t *handle) {
  free(handle->data);
}

void xh_edit_close(xh_edit *e) {
  if (e == NULL)
    return;
  pthread_mutex_lock(&e->lock);
  e->closing = true;
  wake(e);
  pthread_mutex_unlock(&e->lock);
  pthread_join(e->thread, NULL);
  if (e->line != NULL)
    el.end(e->line);
  if (e->history != NULL)
    el.history_end(e->history);
  free(e->prompt);
  free(e->insert);
  free(e->taken);
  free(e->list);
  free(e->text);
  close(e->wake);
  pthread_cond_destroy(&e->changed);
  pthread_mutex_destroy(&e->lock);
  uv_close((uv_handle_t *)&e->told, on_closed);
}
