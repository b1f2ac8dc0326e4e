/* log.h - from the job's pipes into its log files. */
#ifndef XH_LOG_H
#define XH_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "spec.h"
#include "text.h"

typedef struct xh_stream {
  int pipe;   /* read end, -1 after its end */
  int writer; /* write end for children still to come, -1 when none will */
  int file;
  bool grown;
  uint64_t size; /* of the file, as far as we know */
  uint64_t bytes, dropped;
  int drop_errno; /* the first one */
  bool drop_limit;
} xh_stream;

typedef struct xh_log {
  xh_stream streams[2]; /* stdout, stderr */
  xh_index index;
  uint64_t limit;   /* per file, 0 = none */
  int sync_errno;   /* the first one */
  char *buffer;     /* shared by both streams */
  uint64_t warm_to; /* when the buffer's memory goes back, XH_NEVER if it is */
} xh_log;

/* Open the three files. 0 or a negative errno. */
int xh_log_open(xh_log *log, int index_dir, int log_dir, uint64_t limit);

/* Make the pipes, owned by the job's user. 0 or a negative errno. */
int xh_log_pipes(xh_log *log, const xh_spec *spec);

/* No more children: from now on the pipes can come to their end. */
void xh_log_close_writers(xh_log *log);

/* Read a stream once and keep what came. False if nothing came. */
bool xh_log_read(xh_log *log, int stream, uint64_t now);

/* Append data, as far as limit and disk let us. What they do not is counted and
 * dropped: a reader that stops stops the job. */
void xh_log_keep(xh_log *log, int stream, const char *data, size_t size, uint64_t now);

/* The buffer that all reading goes through, for use until the next event. */
char *xh_log_buffer(xh_log *log, size_t *size, uint64_t now);

/* Both pipes have ended. */
bool xh_log_ended(const xh_log *log);

/* Take what is in the pipes without waiting, and write the index's rest. */
void xh_log_finish(xh_log *log);

/* Work that is due, and when that will be. */
void xh_log_tick(xh_log *log, uint64_t now);
uint64_t xh_log_next(const xh_log *log);

/* Wait until the three files, and the folder of the logs, are on the disk. What fails
 * is told in the evidence. */
void xh_log_sync(xh_log *log, int log_dir);

/* Byte counts for the exit file. */
void xh_log_evidence(const xh_log *log, xh_text *out);

#endif
