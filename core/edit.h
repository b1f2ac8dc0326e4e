/* edit.h - a line editor on the terminal (libedit), in a thread of its own.
 *
 * libedit reads by blocking, also in the middle of a key; so it has a thread, which
 * tells the loop of one thing at a time and then waits for the answer. For the command
 * only: the library neither links nor opens libedit. */
#ifndef XH_EDIT_H
#define XH_EDIT_H

#include <uv.h>

typedef struct xh_edit xh_edit;

typedef enum xh_edit_event {
  XH_EDIT_LINE,  /* text: the line, without its newline */
  XH_EDIT_TAB,   /* text: what stands before the cursor; wants xh_edit_answer() */
  XH_EDIT_ABORT, /* the line was dropped by xh_edit_abort() */
  XH_EDIT_END,   /* the end of input (Ctrl-D on an empty line) */
} xh_edit_event;

/* Called on the loop thread; text is borrowed for the call. */
typedef void (*xh_edit_fn)(xh_edit *e, xh_edit_event event, const char *text,
                           void *user);

/* Edit lines on descriptors 0 and 1. Returns 0, or a negative uv error: UV_ENOSYS when
 * there is no libedit here; *why then says more (static). */
int xh_edit_open(xh_edit **out, uv_loop_t *loop, xh_edit_fn fn, void *user,
                 const char **why);

/* Show a prompt and edit a line; an event tells how it ended. UV_EBUSY while one is
 * being edited. */
int xh_edit_read(xh_edit *e, const char *prompt);

/* Answer XH_EDIT_TAB: text that is put in as if it were typed, and a list that is shown
 * unless it is empty. Nothing happens when the line was dropped meanwhile. */
int xh_edit_answer(xh_edit *e, const char *insert, const char *list);

/* Drop the line that is being edited, if one is. */
void xh_edit_abort(xh_edit *e);

/* Add a line to what the arrow keys bring back. */
int xh_edit_remember(xh_edit *e, const char *line);

/* Gives the terminal back as it was; fn is not called any more. Safe on NULL. */
void xh_edit_close(xh_edit *e);

#endif
