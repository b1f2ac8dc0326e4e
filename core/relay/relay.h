/* relay.h - the state of one relay between a shim and a virtual machine's monitor. */
#ifndef XH_RELAY_H
#define XH_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../guest/wire.h"

/* Names in the working folder, which is the machine's own. */
#define XH_RELAY_REPORT "report"
#define XH_RELAY_CONSOLE "console.log"
#define XH_RELAY_ERRORS "vmm.err"
#define XH_RELAY_CONTROL "guest"
#define XH_RELAY_API "api.sock"
#define XH_RELAY_ARCHIVE "initrd" /* ours, with the job in it */

#define XH_RELAY_CONSOLE_MAX (1 << 20)

/* What the guest said of its end; "" until then. */
typedef struct xh_word {
  char end[XH_WIRE_RECORD_MAX]; /* the pairs after END */
  int code;                     /* -1 = none */
  int signal;                   /* 0 = none */
} xh_word;

typedef struct xh_relay {
  const char *token; /* NULL: a guest that reports nothing, its console is the output */
  const char *socket;
  char *const *argv; /* the monitor's */

  int signals, listener, connection, control;
  int serial; /* the monitor's stdout */
  int console, errors;
  pid_t vmm;
  bool vmm_ended;
  int vmm_status;

  bool greeted;   /* by socket or by console; from then on by it alone */
  bool by_serial; /* what the console says is output */
  bool started;   /* the shim knows that something runs */
  int failed;     /* errno of a start that failed in the guest, 0 = none */
  bool said_end;
  xh_word word;
  int64_t give_up_start, kill_at; /* ms on the monotonic clock; 0 = never */
  bool asked;                     /* a guest without our init has been asked to end */

  size_t console_size;
  size_t frame_used;
  unsigned char frame[XH_WIRE_HEADER + XH_WIRE_MAX];
  size_t line_used; /* of the console, held back while it may be a record */
  char line[XH_WIRE_RECORD_MAX + XH_WIRE_TOKEN_MAX + 64];
} xh_relay;

int64_t xh_relay_now(void);

/* Tell the shim that it runs, or (error != 0) why not. Once; later calls do nothing. */
void xh_relay_start(xh_relay *r, int error, const char *step);

/* A record from the guest, `text` without a NUL; by the socket or by the console. */
void xh_relay_record(xh_relay *r, const char *text, size_t size, bool serial);

/* Bytes of the console. */
void xh_relay_console(xh_relay *r, const char *bytes, size_t size);

/* The console has ended: give what was held back. */
void xh_relay_console_end(xh_relay *r);

/* Let a paused machine go on: a stop is of no use to one that stands still. */
bool xh_relay_resume(void);

/* Control, Alt and Delete: what asks a guest to end that has none of our init. False
 * where the monitor does not do it. */
bool xh_relay_press_keys(void);

#endif
