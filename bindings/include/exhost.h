/* exhost.h - an executor host inside your process.
 *
 * What it is. A host opens one state folder for one executor id and does what the
 * `exhost` command does: it starts, follows, stops and cleans up executions. Each one
 * is kept by a supervisor process of its own, so executions go on when the host is
 * closed or your process dies; the next host on the same folder finds them again.
 * Several hosts may be open in one process, on one folder or on different ones.
 *
 * How to use it. Every call has a tag that you choose, and answers exactly once, as an
 * event with that tag. Nothing calls you back:
 *
 *     exhost_options o = {.struct_size = sizeof o};
 *     o.state_dir = "/var/lib/mine";
 *     exhost_t *host;
 *     if (exhost_open(&o, &host) < 0) ...
 *     exhost_call(host, 1, "status", "{\"id\":\"job-1\"}", 14, 5000);
 *     exhost_event *e;
 *     while (exhost_next(host, &e, -1) == 0) {
 *       ... e->tag, e->code, e->json ...
 *       exhost_event_free(e);
 *     }
 *
 * Methods and their parameters are those of lua/README.md; the call "methods" lists
 * them.
 *
 * Threads. Every function may be called from any thread at any time, with two limits:
 * exhost_close() is the last call on a host, and events come to whichever thread calls
 * exhost_next(), so let one thread do that. No function waits for an execution; only
 * exhost_next(), exhost_call_now() and exhost_close() wait at all, as long as you tell
 * them to.
 *
 * What it does to your process. One thread per host, with all signals blocked; a few
 * more, shared, for slow system calls. It installs no signal handler, changes no signal
 * mask, environment, umask or working folder, keeps no global state, calls no function
 * of yours and writes to no descriptor but its own and the one you give it. Children
 * are made by posix_spawn() and awaited by their own descriptors. Those that go on when
 * their host is closed stay your children: when they have ended, they are zombies until
 * your process ends.
 *
 * What you must not do: use a host after fork() in the child; reap all children
 * with wait(-1) and expect to recognise each (those that are not yours are ours); close
 * or read descriptors that you did not open or were not given; set SIGCHLD to SIG_IGN
 * is harmless.
 *
 * Memory. What you pass in is copied. An event is yours until exhost_event_free().
 */
#ifndef EXHOST_H
#define EXHOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define EXHOST_API __attribute__((visibility("default")))
#else
#define EXHOST_API
#endif

/* Grows with every change of this file that adds something. */
#define EXHOST_API_VERSION 2

/* What functions return and events carry. Negative values never change. */
enum exhost_code {
  EXHOST_OK = 0,
  EXHOST_INVALID = -1,           /* a request or parameter is wrong */
  EXHOST_NOT_FOUND = -2,         /* no such execution or job */
  EXHOST_ALREADY_STARTED = -3,   /* the id is taken by one that runs */
  EXHOST_ALREADY_COMPLETED = -4, /* it has ended */
  EXHOST_DENIED = -5,            /* the operator does not allow it */
  EXHOST_UNSUPPORTED = -6,       /* this backend cannot do it */
  EXHOST_UNAVAILABLE = -7,       /* the engine cannot be reached */
  EXHOST_ENGINE = -8,            /* the engine or the system refused */
  EXHOST_TIMEOUT = -9,           /* not within the time given */
  EXHOST_CANCELLED = -10,        /* the call was cancelled */
  EXHOST_POLICY = -11,           /* a policy failed */
  EXHOST_IO = -12,               /* files or descriptors */
  EXHOST_INTERNAL = -13,         /* a defect of exhost: please report it */
  EXHOST_NO_MEMORY = -14,
  EXHOST_CLOSED = -15 /* the host is closing */
};

typedef struct exhost exhost_t;

/* Set everything to zero, then struct_size and what you want. Fields that a later
 * version adds come last and mean nothing when they are zero; set to something else,
 * they are EXHOST_INVALID to an older library. */
typedef struct exhost_options {
  size_t struct_size; /* sizeof(exhost_options) */

  /* Absolute. NULL: $EXHOST_STATE_DIR, else /var/lib/exhost for root, else
   * $XDG_STATE_HOME/exhost. It is made, mode 0700, where it is missing. */
  const char *state_dir;
  const char *executor_id; /* NULL: "default" */
  const char *backend;     /* for requests that name none; NULL: "process" */
  const char *lua_path;    /* more folders with backends/ and policies/, by ":" */
  const char *prefix;      /* where exhost is installed; NULL: found from the library */
  const char *config;      /* settings, as a JSON object; NULL: none */
  const char *ceiling; /* what no request and no policy may go beyond, as a JSON object:
                          `exhost help config`; NULL: none */

  /* The library's own log, one JSON object a line; duplicated. Set has_log_fd. Without
   * it there is no log. A full pipe loses lines. */
  int has_log_fd;
  int log_fd;

  int serve;  /* listen for commands on a socket in the state folder, and conclude what
                 ends though nobody waits for it, as `exhost serve` does */
  int attach; /* listen for a REPL on a second socket */
  int strict; /* unknown request fields are errors; else warnings */

  /* Where exhost_open() writes what went wrong; may be NULL. */
  char *error;
  size_t error_size;
} exhost_options;

typedef struct exhost_event {
  uint64_t tag;
  int code; /* enum exhost_code */
  const char
    *json;    /* the answer, ended by NUL; for errors {"code", "message", "data"} */
  size_t len; /* without the NUL */
  int fd;     /* -1, or a non-blocking pipe to read from: yours once you set this
                 to -1, else closed by exhost_event_free() */
} exhost_event;

/* Open a host. Reads the state folder and brings it up to date in the background.
 * Returns 0 and *out, or a negative code, and then options->error says more. */
EXHOST_API int exhost_open(const exhost_options *options, exhost_t **out);

/* Begin a call. `json` is its parameters, an object (NULL or empty: none). timeout_ms
 * below 0 is none; a call that takes longer answers EXHOST_TIMEOUT. Several calls may
 * share a tag. Returns 0, and the answer will come, or a negative code, and none will:
 * EXHOST_INVALID for a NULL method, EXHOST_NO_MEMORY, EXHOST_CLOSED. */
EXHOST_API int exhost_call(exhost_t *host, uint64_t tag, const char *method,
                           const char *json, size_t len, int64_t timeout_ms);

/* As exhost_call(), and then wait until the host has taken up the call. What it answers
 * from memory is *event then, which you free, and exhost_next() does not give it; for
 * all else *event is NULL and the answer comes as for exhost_call(). One thread wakes
 * up instead of two, so this is the fast way for one call after the other. To be woken
 * up takes longer than most calls: the caller, and between calls that come one upon the
 * other the host, look for each other for up to 50 us of processor time before they
 * sleep. */
EXHOST_API int exhost_call_now(exhost_t *host, uint64_t tag, const char *method,
                               const char *json, size_t len, int64_t timeout_ms,
                               exhost_event **event);

/* End all calls with this tag early: each answers EXHOST_CANCELLED, unless it answered
 * before. It is the call that is cancelled, not the execution; a start whose workload
 * does not run yet is rolled back. Returns 0; EXHOST_NO_MEMORY, EXHOST_CLOSED. */
EXHOST_API int exhost_cancel(exhost_t *host, uint64_t tag);

/* Take the next event. Waits up to timeout_ms (below 0: for ever, 0: not at all).
 * Returns 0 and *event, which you free; EXHOST_TIMEOUT when there is none;
 * EXHOST_CLOSED when the host is closing and its last event was taken: from then on
 * the host is not to be used any more. */
EXHOST_API int exhost_next(exhost_t *host, exhost_event **event, int timeout_ms);

/* A descriptor that polls readable while exhost_next() has something. Poll it, never
 * read it. Each call gives a new one, which you close. Negative errno on failure. */
EXHOST_API int exhost_fd(exhost_t *host);

/* Free an event and close its fd unless that is -1. NULL is fine. */
EXHOST_API void exhost_event_free(exhost_event *event);

/* Close the host. Executions go on. Calls in flight answer EXHOST_CANCELLED; a start
 * that is being rolled back has timeout_ms for it (the next host does the rest). Then
 * waits for a thread in exhost_next() to have taken all events and to have been told
 * EXHOST_CLOSED, up to timeout_ms (below 0: for ever, so only where a thread drains; 0
 * where none does). Then the host is gone. NULL is fine. */
EXHOST_API void exhost_close(exhost_t *host, int timeout_ms);

/* "1.2.3", static. */
EXHOST_API const char *exhost_version(void);

/* EXHOST_API_VERSION of the library that was loaded. */
EXHOST_API int exhost_api_version(void);

/* A code as text ("not_found"), static; for others "unknown". */
EXHOST_API const char *exhost_strerror(int code);

#ifdef __cplusplus
}
#endif

#endif
