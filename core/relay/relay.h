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
#define XH_RELAY_ARCHIVE "initrd"         /* ours, with the job in it */
#define XH_RELAY_METADATA "metadata.json" /* of a guest that asks for some */

#define XH_RELAY_CONSOLE_MAX (1 << 20)

#define XH_RELAY_EXECS_MAX 32 /* at once */
#define XH_RELAY_STRANGERS 64 /* connections that have not said yet whose they are */
#define XH_RELAY_EXECS_POLL (3 * XH_RELAY_EXECS_MAX)

/* What the guest said of its end; "" until then. */
typedef struct xh_word {
  char end[XH_WIRE_RECORD_MAX]; /* the pairs after END */
  int code;                     /* -1 = none */
  int signal;                   /* 0 = none */
} xh_word;

/* One more process in the guest, for a host that waits as core/shim/execs.h says. */
typedef struct xh_relay_exec {
  int status;     /* that FIFO's write end; -1 = the slot is free */
  int output[2];  /* of stdout and stderr; -1 = nobody reads it any more */
  int words;      /* the file with the command */
  size_t size;    /* of it */
  off_t sent;     /* of it */
  int connection; /* -1 = the guest has not called back yet */
  char nonce[XH_WIRE_NONCE + 1];
  size_t used;  /* bytes of the frame that is read */
  size_t given; /* of a whole frame of output: what the FIFO has taken */
  unsigned char frame[XH_WIRE_HEADER + XH_WIRE_MAX + 1];
} xh_relay_exec;

typedef struct xh_stranger {
  int fd; /* -1 = the slot is free */
  int64_t give_up;
  size_t used;
  char frame[XH_WIRE_HEADER + 64];
} xh_stranger;

/* Where the monitor's own files are, and whose they are. */
typedef struct xh_jail {
  int folder; /* AT_FDCWD without a jail: the working folder */
  bool on;
  uid_t uid;
  gid_t gid;
  pid_t guard; /* 0 = there is none */
  int alive;   /* the guard waits for its end */
} xh_jail;

typedef struct xh_relay {
  const char *token; /* NULL: a guest that reports nothing, its console is the output */
  const char *socket;
  char *const *argv; /* the monitor's */
  xh_jail jail;

  int signals, listener, connection, control;
  int serial; /* the monitor's stdout */
  int console, errors;
  pid_t vmm;
  bool vmm_ended;
  int vmm_status;

  bool connected; /* once; whoever comes later is not the guest's init */
  bool greeted;   /* by socket or by console; from then on by it alone */
  bool by_serial; /* what the console says is output */
  bool started;   /* the shim knows that something runs */
  int failed;     /* errno of a start that failed in the guest, 0 = none */
  bool said_end;
  xh_word word;
  int64_t give_up_start, kill_at; /* ms on the monotonic clock; 0 = never */
  int64_t keys_at;                /* to press keys, unless the guest has ended */
  bool asked;                     /* a guest without our init has been asked to end */

  size_t orders_used; /* bytes of control lines that are not whole yet */
  char orders[512];
  xh_relay_exec execs[XH_RELAY_EXECS_MAX];
  xh_stranger strangers[XH_RELAY_STRANGERS];

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

/* Whether pairs of a record have the key, and its value. */
bool xh_relay_value(const char *pairs, const char *key, char *value, size_t size);

/* A connection from the guest waits; the guest's init has said something. */
void xh_relay_accept(xh_relay *r);
void xh_relay_hear(xh_relay *r);

/* Signals to us: to stop, and that the monitor has ended. */
void xh_relay_take_signals(xh_relay *r);

/* Lines from hosts. */
void xh_relay_take_control(xh_relay *r);

/* Processes beside the job. `start`: a folder's name from a host. `watch` and
 * `dispatch` have XH_RELAY_EXECS_POLL descriptors. */
struct pollfd;
void xh_relay_execs_open(xh_relay *r);
void xh_relay_execs_start(xh_relay *r, const char *folder);
void xh_relay_execs_watch(const xh_relay *r, struct pollfd *fds);
void xh_relay_execs_dispatch(xh_relay *r, const struct pollfd *fds);

/* Give all of it back; before that, tell the host why it never ran. */
void xh_relay_exec_drop(xh_relay_exec *e);
void xh_relay_exec_fail(xh_relay_exec *e, int error, const char *step);

/* What nobody can guess: XH_WIRE_NONCE hex digits. */
bool xh_relay_nonce(char *nonce);

/* Connections beside the first. `refused`: the guest's init has said NOEXEC. `watch`
 * and `dispatch` have XH_RELAY_STRANGERS descriptors. */
void xh_relay_strangers_open(xh_relay *r);
void xh_relay_strangers_add(xh_relay *r, int fd);
void xh_relay_strangers_refused(xh_relay *r, const char *pairs);
void xh_relay_strangers_watch(const xh_relay *r, struct pollfd *fds);
void xh_relay_strangers_dispatch(xh_relay *r, const struct pollfd *fds);

/* Take the words of a disk off the command line, `--disk PATH` or `--disk-shared PATH`,
 * and the disk: -EBUSY while another machine has it. Answers as xh_jail_take. */
int xh_disk_take(char *const *words);

/* Take the words of a jail off the command line: `--jail FOLDER UID GID`. Answers how
 * many there are, or a negative errno. */
int xh_jail_take(xh_jail *jail, char *const *words);

/* Listen on a unix socket in the monitor's folder, which it can connect to. Answers a
 * descriptor, or a negative errno. */
int xh_jail_listen(const xh_jail *jail, const char *name);

/* Connect to a socket there: never by a link. Answers a descriptor, or -1. */
int xh_jail_connect(const xh_jail *jail, const char *name);

/* End the monitor when we end, however that is: one in a jail has lost the word that
 * the kernel would do so. Answers 0, or a negative errno. */
int xh_jail_guard(xh_jail *jail, pid_t monitor);

/* The monitor has ended: the guard goes. */
void xh_jail_dismiss(const xh_jail *jail);

/* Write what is known of the end, for the host. */
void xh_relay_write_report(const xh_relay *r);

/* Write the report, then end by the workload's signal, or answer its exit code. */
int xh_relay_leave(const xh_relay *r);

/* Bytes of the console. */
void xh_relay_console(xh_relay *r, const char *bytes, size_t size);

/* The console has ended: give what was held back. */
void xh_relay_console_end(xh_relay *r);

/* Let a paused machine go on: a stop is of no use to one that stands still. */
bool xh_relay_resume(const xh_relay *r);

/* Control, Alt and Delete: what asks a guest to end that has none of our init. False
 * where the monitor does not do it. */
bool xh_relay_press_keys(const xh_relay *r);

#endif
