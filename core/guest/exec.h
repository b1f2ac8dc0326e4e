/* exec.h - more processes beside the job, on behalf of the host. */
#ifndef XH_GUEST_EXEC_H
#define XH_GUEST_EXEC_H

struct xh_runner;

/* Fork a process that calls the host on a connection of its own, says the nonce, gets
 * the words of a command there and runs it as the job is run: same user, folder and
 * environment. It ends when the host hangs up. */
void xh_exec_start(struct xh_runner *r, const char *nonce);

#endif
