/* sweep.h - find processes that a dead shim left behind, where there is no cgroup.
 *
 * Best effort, and said so: a process that changed its environment is not found. */
#ifndef XH_SWEEP_H
#define XH_SWEEP_H

/* SIGKILL every process of ours whose environment holds `variable` ("NAME=value")
 * and which no living shim supervises. Returns how many were signalled. Reads /proc:
 * call it off the loop. */
int xh_sweep_kill(const char *variable);

/* SIGKILL one process and its process group (the process alone before Linux 6.9), if a
 * control group that it is in has `word` in its path. Returns 0 or a negative errno:
 * ESRCH it is gone, EXDEV it is in none of that name, EPERM it is not ours to end. */
int xh_sweep_kill_in_cgroup(long pid, const char *word);

#endif
