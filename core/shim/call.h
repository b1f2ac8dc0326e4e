/* call.h - one request to an engine and its answer, on a connection of its own. */
#ifndef XH_CALL_H
#define XH_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "../response.h"

#define XH_CALL_MAX 640

typedef enum xh_call_state {
  XH_CALL_IDLE,
  XH_CALL_BUSY,   /* connecting, sending, or waiting for the head */
  XH_CALL_OPEN,   /* the head is there, the body comes */
  XH_CALL_DONE,   /* the answer is whole */
  XH_CALL_FAILED, /* see error */
} xh_call_state;

typedef struct xh_call {
  xh_call_state state;
  int fd;    /* -1 in all states but busy and open */
  int error; /* errno */
  uint64_t expires;
  size_t size, sent;
  xh_response answer;
  char request[XH_CALL_MAX];
} xh_call;

/* Where the body goes, piece by piece. False ends the call as failed. */
typedef bool (*xh_call_sink)(void *user, const char *data, size_t size);

/* Send "METHOD PATH". The call fails at `expires`, which may be set later, too. */
void xh_call_begin(xh_call *call, const char *address, const char *method,
                   const char *path, uint64_t expires);

/* What to poll for. */
short xh_call_events(const xh_call *call);

/* Write, or read once into buffer. */
void xh_call_step(xh_call *call, char *buffer, size_t size, xh_call_sink sink,
                  void *user);

void xh_call_tick(xh_call *call, uint64_t now);
uint64_t xh_call_next(const xh_call *call);

/* The answer's head is there, with this status. */
bool xh_call_answered(const xh_call *call);

/* Back to idle. */
void xh_call_drop(xh_call *call);

#endif
