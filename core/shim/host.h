/* host.h - the word with the host that started us. */
#ifndef XH_HOST_H
#define XH_HOST_H

#include <stddef.h>

typedef struct xh_host {
  int fd; /* -1 when there is no more to say */
  size_t used;
  char line[4];
} xh_host;

typedef enum xh_word {
  XH_WORD_NONE, /* not whole yet */
  XH_WORD_GO,
  XH_WORD_GONE, /* it hung up, or said what we do not know */
} xh_word;

/* Answers. A host that is gone is no error. */
void xh_host_ready(xh_host *host);
void xh_host_started(xh_host *host, int pid);
void xh_host_error(xh_host *host, int error, const char *step);

/* Read what the host says, without waiting. */
xh_word xh_host_read(xh_host *host);
/* Say no more. Safe to repeat. */
void xh_host_close(xh_host *host);

#endif
