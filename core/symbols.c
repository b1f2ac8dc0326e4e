/* symbols.c - functions of a library that is opened when it is first needed. */
#include "symbols.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void *xh_symbols_open(const char *soname, void *table, const xh_symbol *symbols,
                      size_t count, char *problem, size_t size) {
  void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    snprintf(problem, size, "%s", dlerror());
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    void *found = dlsym(library, symbols[i].name);
    if (found == NULL)
      snprintf(problem, size, "%s has no %s", soname, symbols[i].name);
    memcpy((char *)table + symbols[i].at, &found, sizeof found);
  }
  return library;
}
