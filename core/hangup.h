/* hangup.h - told when the other end of a descriptor goes away. */
#ifndef XH_HANGUP_H
#define XH_HANGUP_H

#include <uv.h>

/* Watches a descriptor for its other end going away: a pidfd that becomes readable,
 * or a FIFO opened for writing that loses its last reader. */
typedef struct xh_hangup xh_hangup;
typedef void (*xh_hangup_fn)(xh_hangup *h, void *user);

/* Takes over fd on success. on_hangup is called once. */
int xh_hangup_open(xh_hangup **out, uv_loop_t *loop, int fd, xh_hangup_fn on_hangup,
                   void *user);
/* No callback any more; closes the descriptor and frees h in time. Safe on NULL. */
void xh_hangup_close(xh_hangup *h);

#endif
