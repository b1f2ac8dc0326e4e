/* exit.h - the evidence, and the file that says it is over. */
#ifndef XH_EXIT_H
#define XH_EXIT_H

#include "shim.h"

/* Reap the main process, collect what is known, remove the cgroups and put the
 * exit file into place. Comes back when it is there. */
void xh_exit_write(xh_shim *s);

#endif
