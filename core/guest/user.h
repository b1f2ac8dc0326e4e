/* user.h - users and groups by their names, from the guest's own files. */
#ifndef XH_GUEST_USER_H
#define XH_GUEST_USER_H

#include "job.h"

/* Turn the job's `user` ("NAME" or "NAME:GROUP", numbers as well) into its uid, gid and
 * groups: those that its name is a member of, unless GROUP is given. Nothing to do
 * without one. 0, -ENOENT (no such user), -ESRCH (no such group) or another errno. */
int xh_user_find(xh_job *job);

#endif
