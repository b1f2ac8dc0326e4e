/* exec.c - execve for the job, for scripts and for execs, in the child. */
#include "exec.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* What execvp(3) falls back to without a PATH. */
#define DEFAULT_PATH "/bin:/usr/bin"

static const char *search_path(const xh_spec *spec) {
  for (size_t i = 0; i < spec->envc; i++)
    if (strncmp(spec->envp[i], "PATH=", 5) == 0)
      return spec->envp[i] + 5;
  return DEFAULT_PATH;
}

/* Errors that only mean "not in this folder". */
static int goes_on(int err) {
  return err == ENOENT || err == ENOTDIR || err == EACCES || err == ESTALE ||
         err == ENODEV || err == ETIMEDOUT || err == ENAMETOOLONG;
}

/* As execvpe(3), with two wanted differences: the PATH is the job's, and a file
 * without a known format is ENOEXEC instead of food for /bin/sh, which would
 * answer a binary for another machine with syntax errors. */
static int search(const xh_spec *spec, char **argv) {
  const char *name = argv[0];
  char file[PATH_MAX];
  size_t size = strlen(name) + 1;
  int result = -ENOENT;
  const char *path = search_path(spec);
  for (;;) {
    size_t folder = strcspn(path, ":");
    if (folder + 1 + size <= sizeof file) {
      memcpy(file, path, folder);
      file[folder] = '/';
      /* An empty entry is the working directory. */
      memcpy(file + folder + (folder > 0), name, size);
      execve(file, argv, spec->envp);
      if (!goes_on(errno))
        return -errno;
      if (errno == EACCES)
        result = -EACCES; /* found, and that says more than "not found" later */
    }
    if (path[folder] == '\0')
      return result;
    path += folder + 1;
  }
}

int xh_exec_argv(const xh_spec *spec, char **argv) {
  if (strchr(argv[0], '/') == NULL)
    return search(spec, argv);
  execve(argv[0], argv, spec->envp);
  return -errno;
}

int xh_exec_script(const xh_spec *spec, const xh_script *script, int fd) {
  char self[] = "/dev/fd/3";
  char shell[] = "/bin/sh";
  char *own[] = {self, NULL};
  char *by_shell[] = {shell, self, NULL};
  if (fd != XH_SCRIPT_FD && dup2(fd, XH_SCRIPT_FD) < 0)
    return -errno;
  if (strncmp(script->content, "#!", 2) == 0)
    execve(self, own, spec->envp);
  else
    execve(shell, by_shell, spec->envp);
  return -errno;
}
