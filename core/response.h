/* response.h - take an HTTP/1.1 answer apart, wherever its bytes were cut. Libc only:
 * the shim uses it, too. */
#ifndef XH_RESPONSE_H
#define XH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum xh_response_part {
  XH_RESPONSE_LINE, /* the status line */
  XH_RESPONSE_FIELDS,
  XH_RESPONSE_SIZE,  /* of a chunk */
  XH_RESPONSE_CHUNK, /* its bytes */
  XH_RESPONSE_CHUNK_END,
  XH_RESPONSE_TRAILER,
  XH_RESPONSE_BYTES, /* as many as Content-Length says */
  XH_RESPONSE_REST,  /* to the end of the connection */
  XH_RESPONSE_DONE,
} xh_response_part;

/* All zeros to begin with. */
typedef struct xh_response {
  xh_response_part part;
  int status; /* the last head's, 0 before it */
  bool head;  /* the head is whole, and is not one of 100 to 199 but 101 */
  bool chunked, has_length;
  uint64_t left;
  size_t seen, used; /* of the head; of the line */
  char line[128];    /* what does not fit is no field we look for */
} xh_response;

/* Take the next piece of the body from *data, which moves forward. Returns 1 and
 * the piece, 0 when all was taken, -1 when this is no answer that we know. */
int xh_response_next(xh_response *r, const char **data, size_t *len, const char **piece,
                     size_t *size);

/* The connection has ended. False if the answer is not whole. */
bool xh_response_end(xh_response *r);

#endif
