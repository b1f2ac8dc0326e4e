/* job.c - reads the job's file, the format of the shim's spec after a first line. */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(const char *path, char **data, size_t *size) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int err = fstat(fd, &st) == 0 ? 0 : -errno;
  *data = err == 0 ? malloc((size_t)st.st_size + 1) : NULL;
  *size = 0;
  while (*data != NULL && *size < (size_t)st.st_size) {
    ssize_t got = read(fd, *data + *size, (size_t)st.st_size - *size);
    if (got <= 0)
      break;
    *size += (size_t)got;
  }
  close(fd);
  return err != 0 ? err : *data == NULL ? -ENOMEM : 0;
}

static bool parse_id(const char *value, unsigned *out) {
  char *end;
  errno = 0;
  unsigned long number = strtoul(value, &end, 10);
  *out = (unsigned)number;
  return *value >= '0' && *value <= '9' && *end == '\0' && errno == 0 &&
         number < 0xffffffffUL;
}

static bool take(xh_job *job, const char *key, char *value) {
  if (strcmp(key, "token") == 0)
    return job->token = value, *value != '\0';
  if (strcmp(key, "argv") == 0)
    return job->argv[job->argc++] = value, true;
  if (strcmp(key, "env") == 0)
    return job->envp[job->envc++] = value, true;
  if (strcmp(key, "cwd") == 0)
    return job->cwd = value, *value == '/';
  if (strcmp(key, "user") == 0)
    return job->user = value, *value != '\0';
  if (strcmp(key, "uid") == 0)
    return job->has_uid = true, parse_id(value, &job->uid);
  if (strcmp(key, "gid") == 0)
    return job->has_gid = true, parse_id(value, &job->gid);
  if (strcmp(key, "group") == 0)
    return parse_id(value, &job->groups[job->group_count++]);
  if (strcmp(key, "drive") == 0)
    return job->drives[job->drive_count++] = value, true;
  if (strcmp(key, "script") == 0)
    return job->script_names[job->script_count] = value, true;
  if (strcmp(key, "script_data") == 0)
    return job->scripts[job->script_count++] = value, true;
  return false;
}

static bool make_arrays(xh_job *job, size_t items) {
  job->argv = calloc(items + 1, sizeof *job->argv);
  job->envp = calloc(items + 1, sizeof *job->envp);
  job->groups = calloc(items + 1, sizeof *job->groups);
  job->drives = calloc(items + 1, sizeof *job->drives);
  job->script_names = calloc(items + 1, sizeof *job->script_names);
  job->scripts = calloc(items + 1, sizeof *job->scripts);
  return job->argv && job->envp && job->groups && job->drives && job->script_names &&
         job->scripts;
}

static int parse(xh_job *job, char *data, size_t size) {
  size_t items = 0;
  size_t magic = strlen(XH_JOB_MAGIC);
  if (size <= magic || memcmp(data, XH_JOB_MAGIC, magic) != 0 || data[size - 1] != '\0')
    return -EINVAL;
  for (size_t i = magic; i < size; i++)
    items += data[i] == '\0';
  if (!make_arrays(job, items))
    return -ENOMEM;
  for (char *item = data + magic; item < data + size;) {
    char *next = item + strlen(item) + 1;
    char *value = strchr(item, '=');
    if (value == NULL)
      return -EINVAL;
    *value++ = '\0';
    if (!take(job, item, value))
      return -EINVAL;
    item = next;
  }
  return job->argc > 0 && job->token != NULL ? 0 : -EINVAL;
}

int xh_job_read(xh_job *job, const char *path) {
  char *data = NULL;
  size_t size = 0;
  *job = (xh_job){.cwd = "/"};
  int err = read_all(path, &data, &size);
  if (err < 0)
    return err;
  unlink(path);
  return parse(job, data, size);
}
