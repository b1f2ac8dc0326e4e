/* become.c - session, user, folder, execve: in the order that the shim has. */
#include "become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LAST_SIGNAL 64

enum { STDIO, USER, CWD, EXEC };

const char *xh_become_step(int step) {
  static const char *const NAMES[] = {"stdio", "user", "cwd", "exec"};
  return step >= 0 && step <= EXEC ? NAMES[step] : "exec";
}

static _Noreturn void fail(int status, int step) {
  xh_failed failed = {errno, step};
  (void)!write(status, &failed, sizeof failed);
  _exit(127);
}

static void default_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int sig = 1; sig <= LAST_SIGNAL; sig++)
    signal(sig, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool become_user(const xh_job *job) {
  if ((job->has_uid || job->group_count > 0) &&
      setgroups(job->group_count, job->groups) != 0)
    return false;
  if (job->has_gid && setresgid(job->gid, job->gid, job->gid) != 0)
    return false;
  return !job->has_uid || setresuid(job->uid, job->uid, job->uid) == 0;
}

static const char *search_path(const xh_job *job) {
  for (size_t i = 0; i < job->envc; i++)
    if (strncmp(job->envp[i], "PATH=", 5) == 0)
      return job->envp[i] + 5;
  return DEFAULT_PATH;
}

/* Leaves in errno why not: EACCES says more than "not found" in a later folder. */
static void search(const xh_job *job) {
  const char *name = job->argv[0];
  char file[PATH_MAX];
  int denied = 0;
  for (const char *path = search_path(job);;) {
    size_t folder = strcspn(path, ":");
    if (folder + strlen(name) + 2 <= sizeof file) {
      memcpy(file, path, folder);
      file[folder] = '/';
      strcpy(file + folder + (folder > 0), name);
      execve(file, job->argv, job->envp);
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        return;
      denied |= errno == EACCES;
    }
    if (path[folder] == '\0')
      break;
    path += folder + 1;
  }
  errno = denied ? EACCES : ENOENT;
}

/* From memory: no file system has to allow execution. Not close-on-exec, since an
 * interpreter opens it by its number. */
static void exec_script(const xh_job *job, const char *content) {
  char self[] = "/dev/fd/3";
  char shell[] = "/bin/sh";
  char *own[] = {self, NULL};
  char *by_shell[] = {shell, self, NULL};
  int fd = memfd_create("script", 0);
  size_t size = strlen(content);
  if (fd < 0 || write(fd, content, size) != (ssize_t)size || dup2(fd, 3) < 0)
    return;
  /* Opened anew: a descriptor open for writing is "text file busy". */
  int again = open("/proc/self/fd/3", O_RDONLY);
  if (again < 0 || dup2(again, 3) < 0)
    return;
  if (fd != 3)
    close(fd);
  if (again != 3)
    close(again);
  if (strncmp(content, "#!", 2) == 0)
    execve(self, own, job->envp);
  else
    execve(shell, by_shell, job->envp);
}

_Noreturn void xh_become(const xh_job *job, const char *script, const int output[2],
                         int status) {
  default_signals();
  setsid();
  umask(022);
  int null = open("/dev/null", O_RDONLY);
  if (null > 0)
    dup2(null, STDIN_FILENO);
  for (int i = 0; i < 2; i++)
    if (output[i] >= 0 && dup2(output[i], STDOUT_FILENO + i) < 0)
      fail(status, STDIO);
  if (null > 2)
    close(null);
  if (!become_user(job))
    fail(status, USER);
  if (chdir(job->cwd) != 0)
    fail(status, CWD);
  if (script != NULL)
    exec_script(job, script);
  else if (strchr(job->argv[0], '/') != NULL)
    execve(job->argv[0], job->argv, job->envp);
  else
    search(job);
  fail(status, EXEC);
}
