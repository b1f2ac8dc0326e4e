/* logread.h - an execution's logs, from the files into a descriptor.
 *
 * The files are the buffer: a slow reader costs no memory and holds nobody up. Bytes
 * go by sendfile where they need no change. The order between the two streams, and
 * all times, come from log.idx (logformat.h); bytes it does not know yet come after. */
#ifndef XH_LOGREAD_H
#define XH_LOGREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

typedef struct xh_logread xh_logread;

typedef enum xh_log_format {
  XH_LOG_RAW,    /* the bytes */
  XH_LOG_FRAMES, /* 8-byte header as the engine's streams have: {1|2,0,0,0, length BE}
                  */
  XH_LOG_JSONL,  /* {"data":…,"stream":…,"time":…} a line */
} xh_log_format;

enum { XH_STREAM_STDOUT = 1, XH_STREAM_STDERR = 2 };

/* Called once, on the loop thread, when everything was written (0), the reader of
 * `target` went away (UV_EPIPE) or reading failed. r may be closed from inside. */
typedef void (*xh_logread_fn)(xh_logread *r, int error, void *user);

typedef struct xh_logread_options {
  size_t struct_size;
  int log_dir;   /* folder of stdout.log and stderr.log; borrowed during open */
  int index_dir; /* folder of log.idx; borrowed during open */
  int target;    /* where the bytes go; owned by the reader once open succeeded */
  xh_log_format format;
  int streams;     /* XH_STREAM_STDOUT | XH_STREAM_STDERR */
  bool timestamps; /* each line led by its time (raw and frames) */
  bool follow;     /* go on until xh_logread_finish() */
  bool no_history; /* only what is written from now on */
  int64_t lines;   /* the last so many lines; negative: all */
  int64_t from[2]; /* what each file held before this execution: not its output */
  int64_t since_ns, until_ns; /* realtime; 0: no bound */
  xh_logread_fn on_end;
  void *user;
} xh_logread_options;

/* Returns 0 and sets *out, owned by the caller, or a negative error. */
int xh_logread_open(xh_logread **out, xh_loop *loop, const xh_logread_options *options);

/* The execution has ended: end as soon as everything in the files was written. */
void xh_logread_finish(xh_logread *r);

/* No callback any more; closes target and frees r in time. Safe on NULL. */
void xh_logread_close(xh_logread *r);

#endif
