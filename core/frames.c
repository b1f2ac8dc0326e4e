/* frames.c - Docker's multiplexed streams: 8 bytes of head, then that many of payload.
 */
#include "frames.h"

#include <string.h>

static bool take_head(xh_frames *f, const char **data, size_t *len) {
  size_t want = XH_FRAME_HEAD - f->have;
  size_t n = *len < want ? *len : want;
  memcpy(f->head + f->have, *data, n);
  f->have += n;
  *data += n;
  *len -= n;
  return f->have == XH_FRAME_HEAD;
}

static bool is_head(const unsigned char *h) {
  return h[0] <= 2 && h[1] == 0 && h[2] == 0 && h[3] == 0;
}

int xh_frames_next(xh_frames *f, const char **data, size_t *len,
                   xh_frame_piece *piece) {
  while (f->left == 0) {
    if (!take_head(f, data, len))
      return 0;
    if (!is_head(f->head))
      return -1;
    const unsigned char *n = f->head + 4;
    f->left = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 |
              (uint32_t)n[3];
    f->have = 0;
  }
  if (*len == 0)
    return 0;
  size_t n = *len < f->left ? *len : f->left;
  *piece = (xh_frame_piece){f->head[0] == 2, *data, n};
  *data += n;
  *len -= n;
  f->left -= (uint32_t)n;
  return 1;
}

bool xh_frames_complete(const xh_frames *f) {
  return f->left == 0 && f->have == 0;
}
