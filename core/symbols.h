/* symbols.h - functions of a library that is opened when it is first needed. */
#ifndef XH_SYMBOLS_H
#define XH_SYMBOLS_H

#include <stddef.h>

typedef struct xh_symbol {
  const char *name;
  size_t at; /* of its pointer in the table */
} xh_symbol;

/* Open the library (its soname) for good and put count functions into the table.
 * Returns dlopen's handle. NULL: it cannot be opened. What is wrong, also a function
 * that it lacks, is then in problem, of `size` bytes; else that is left alone. */
void *xh_symbols_open(const char *soname, void *table, const xh_symbol *symbols,
                      size_t count, char *problem, size_t size);

#endif
