/* logindex.h - log.idx and the two log files as one sequence of chunks. */
#ifndef XH_LOGINDEX_H
#define XH_LOGINDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct xh_index_record {
  int64_t time_ns;
  int stream; /* 0 stdout, 1 stderr */
  int64_t offset, length;
} xh_index_record;

enum { XH_INDEX_BLOCK = 64 }; /* every reader has one in its memory */

typedef struct xh_logindex {
  int fd; /* -1 while there is none */
  int64_t block_first;
  int block_count;
  xh_index_record block[XH_INDEX_BLOCK];
} xh_logindex;

/* Number of whole records now in the file; a torn tail is not counted. */
int64_t xh_logindex_count(const xh_logindex *x);

/* Record number i. False when it is not there (any more). */
bool xh_logindex_get(xh_logindex *x, int64_t i, xh_index_record *out);

/* First record of each stream that still describes the file: what came before the
 * last time the offsets went back was truncated away by somebody. */
void xh_logindex_valid_from(xh_logindex *x, int64_t count, int64_t valid_from[2]);

#endif
