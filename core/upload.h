/* upload.h - what a descriptor says goes up a stream, and its end with it. */
#ifndef XH_UPLOAD_H
#define XH_UPLOAD_H

#include <uv.h>

typedef struct xh_upload xh_upload;

/* fd, a file or anything that can be polled, is taken over on success. The stream must
 * not be closed before the upload. Returns 0 or a negative uv error. What goes wrong
 * later ends the upload: whoever reads from the stream is told by it. */
int xh_upload_open(xh_upload **out, uv_loop_t *loop, int fd, uv_stream_t *to);

/* Frees u in time. Safe on NULL. */
void xh_upload_close(xh_upload *u);

#endif
