/* output.h - an engine's stream of output, into the logs. */
#ifndef XH_OUTPUT_H
#define XH_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../frames.h"
#include "engine_spec.h"
#include "log.h"

typedef struct xh_output {
  bool raw; /* a terminal's: no frames, all is stdout */
  xh_frames frames;
  uint64_t base[2]; /* where in the files this execution's bytes begin */
  uint64_t skip[2]; /* bytes still to come that the files have */
  int files[2];     /* to compare those with; -1 = not possible */
  bool inexact;     /* the engine's record is not what we were given: rotated, or
                     * no UTF-8. Counting bytes does not help from now on */
  uint64_t gaps;
} xh_output;

void xh_output_open(xh_output *o, xh_log *log, const xh_engine_spec *spec);

/* What comes now begins with new bytes, or (again) with the first. */
void xh_output_attach(xh_output *o);
void xh_output_history(xh_output *o, const xh_log *log);

/* For the engine's `since`: "SECONDS.NANOSECONDS" of the last byte, or "0". */
void xh_output_since(const xh_log *log, xh_text *out);

/* Take what came. False: no such stream, or it is inexact. */
bool xh_output_take(xh_output *o, xh_log *log, const char *data, size_t size,
                    uint64_t now);

/* The stream has ended. Whether it did so where a frame ends. */
bool xh_output_end(xh_output *o);

/* It was shorter than what we had. */
bool xh_output_short(const xh_output *o);

#endif
