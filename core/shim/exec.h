/* exec.h - execve for the job, for scripts and for execs, in the child. */
#ifndef XH_EXEC_H
#define XH_EXEC_H

#include "spec.h"

/* Descriptor that a script's content has, and the only one but 0 to 2. */
#define XH_SCRIPT_FD 3

/* Both return a negative errno, or not at all. */
int xh_exec_argv(const xh_spec *spec, char **argv);
int xh_exec_script(const xh_spec *spec, const xh_script *script, int fd);

#endif
