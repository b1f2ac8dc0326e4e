/* error.h - what the core's negative return codes are called.
 *
 * Every core function answers 0 or more on success and a negative uv code
 * (the negative errno) on failure. These two turn such a code into words. */
#ifndef XH_ERROR_H
#define XH_ERROR_H

/* The symbolic name, such as "ENOENT". Static text; never NULL. */
const char *xh_error_name(int err);

/* The sentence for people, such as "no such file or directory". Static text. */
const char *xh_error_text(int err);

#endif
