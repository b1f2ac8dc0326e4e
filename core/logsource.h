/* logsource.h - which bytes of an execution's logs come next, and which first. Private
 * to logread.c. */
#ifndef XH_LOGSOURCE_H
#define XH_LOGSOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "logindex.h"
#include "logread.h"

/* Bytes of one stream's file that follow each other. */
typedef struct xh_log_chunk {
  int stream;
  int64_t offset, length, time_ns;
} xh_log_chunk;

typedef struct xh_logsource {
  int log_dir;    /* ours */
  int fd[2];      /* -1 until the file is there */
  int64_t pos[2]; /* everything before was given or is not wanted */
  xh_logindex index;
  int64_t next_record, valid_from[2];
  int streams; /* those that are still wanted */
  bool no_history;
  int64_t lines, since_ns, until_ns;
} xh_logsource;

/* Returns 0 or a negative error; close it in both cases. */
int xh_logsource_open(xh_logsource *s, const xh_logread_options *o);

/* Find where to begin. */
void xh_logsource_begin(xh_logsource *s, int index_dir);

/* The next chunk, in the order in which it was written; false when there is nothing
 * (more) to give now. The caller moves pos as it gives. */
bool xh_logsource_next(xh_logsource *s, xh_log_chunk *out);

void xh_logsource_close(xh_logsource *s);

#endif
