/* logformat.h - file names and the index record, shared by shim and host. */
#ifndef XH_LOGFORMAT_H
#define XH_LOGFORMAT_H

#include <stdint.h>

/* exhost-shim's first argument. Changes whenever spec, answers, control lines,
 * exit file or index record change in a way the other side must know. */
#define XH_SHIM_PROTOCOL 1

#define XH_FILE_STDOUT "stdout.log"
#define XH_FILE_STDERR "stderr.log"
#define XH_FILE_INDEX "log.idx"
#define XH_FILE_EXIT "exit"
#define XH_FILE_CONTROL "control"

/* Control lines are shorter than this, newline included, so that one write to
 * the FIFO is atomic even between several hosts. */
#define XH_CONTROL_MAX 512

/* One record covers contiguous bytes of one stream. All three are
 * little-endian. Records are written after the bytes they speak of, so a
 * reader may trust a whole record and ignores a torn one at the end. */
typedef struct xh_log_record {
  uint64_t time;   /* CLOCK_REALTIME in ns, when the first byte was read */
  uint64_t offset; /* in the stream's file; XH_LOG_STDERR names the stream */
  uint64_t length;
} xh_log_record;

#define XH_LOG_STDERR (UINT64_C(1) << 63)

#endif
