/* clock.h - time in nanoseconds. */
#ifndef XH_CLOCK_H
#define XH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define XH_MS UINT64_C(1000000)
#define XH_SECOND (1000 * XH_MS)

/* A point in time that never comes. */
#define XH_NEVER UINT64_MAX

static inline uint64_t xh_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * XH_SECOND + (uint64_t)t.tv_nsec;
}

static inline uint64_t xh_clock_now(void) {
  return xh_clock(CLOCK_MONOTONIC);
}

/* Sums of times saturate, so that a huge grace means "never" and not "now". */
static inline uint64_t xh_clock_after(uint64_t from, uint64_t ns) {
  return ns > XH_NEVER - from ? XH_NEVER : from + ns;
}

static inline uint64_t xh_clock_ms(uint64_t ms) {
  return ms > XH_NEVER / XH_MS ? XH_NEVER : ms * XH_MS;
}

static inline uint64_t xh_clock_first(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

#endif
