/* spec.c - what to run and how, as the host sent it. */
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "text.h"

#define UNSET UINT64_MAX

/* Reads into a mapping of its own, so that it can be given back whole: it may
 * hold some MiB of environment, and its owner lives for days. */
static int read_all(xh_spec *spec, int fd, size_t *used) {
  size_t size = 16384;
  char *data =
    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return -errno;
  spec->data = data;
  spec->data_size = size;
  for (;;) {
    ssize_t got = read(fd, spec->data + *used, spec->data_size - *used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -errno;
    if (got == 0)
      return 0;
    *used += (size_t)got;
    if (*used > XH_SPEC_MAX)
      return -E2BIG;
    if (*used < spec->data_size)
      continue;
    data = mremap(spec->data, spec->data_size, spec->data_size * 2, MREMAP_MAYMOVE);
    if (data == MAP_FAILED)
      return -errno;
    spec->data = data;
    spec->data_size *= 2;
  }
}

/* Each array gets room for all items: what is not used is never touched and
 * costs no memory. */
static int make_arrays(xh_spec *spec, size_t items) {
  size_t pointers = (items + 1) * sizeof(char *);
  spec->arrays_size = 3 * pointers + items * (sizeof(xh_script) + sizeof(gid_t));
  char *at = mmap(NULL, spec->arrays_size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return -errno;
  spec->arrays = at;
  spec->argv = (char **)(void *)at;
  spec->envp = (char **)(void *)(at + pointers);
  spec->cgroups = (const char **)(void *)(at + 2 * pointers);
  spec->scripts = (xh_script *)(void *)(at + 3 * pointers);
  spec->groups = (gid_t *)(void *)(spec->scripts + items);
  return 0;
}

static bool parse_id(const char *value, unsigned *out) {
  uint64_t number;
  /* (uid_t)-1 would mean "leave as it is" to setresuid. */
  if (!xh_text_parse(value, 10, &number) || number >= UINT32_MAX)
    return false;
  *out = (unsigned)number;
  return true;
}

static bool parse_limit(const char *value, rlim_t *out) {
  uint64_t number = RLIM_INFINITY;
  if (strcmp(value, "unlimited") != 0 && !xh_text_parse(value, 10, &number))
    return false;
  *out = number;
  return true;
}

static bool parse_rlimit(xh_spec *spec, char *value) {
  char *soft = strchr(value, ':');
  char *hard = soft != NULL ? strchr(soft + 1, ':') : NULL;
  uint64_t resource;
  if (hard == NULL)
    return false;
  *soft++ = '\0';
  *hard++ = '\0';
  if (!xh_text_parse(value, 10, &resource) || resource >= RLIM_NLIMITS)
    return false;
  xh_rlimit *limit = &spec->rlimits[resource];
  limit->set = true;
  return parse_limit(soft, &limit->value.rlim_cur) &&
         parse_limit(hard, &limit->value.rlim_max);
}

static bool parse_umask(xh_spec *spec, const char *value) {
  uint64_t mask;
  if (!xh_text_parse(value, 8, &mask) || mask > 0777)
    return false;
  spec->umask = (mode_t)mask;
  return true;
}

/* The last script still lacks its content, which must be the very next item. */
static bool lacks_content(const xh_spec *spec) {
  return spec->script_count > 0 &&
         spec->scripts[spec->script_count - 1].content == NULL;
}

static bool take_script(xh_spec *spec, const char *key, const char *value) {
  if (strcmp(key, "script_data") == 0) {
    if (!lacks_content(spec))
      return false;
    spec->scripts[spec->script_count - 1].content = value;
    return true;
  }
  size_t size = strlen(value);
  if (size == 0 || size > XH_SCRIPT_NAME_MAX || strpbrk(value, "\n/") != NULL)
    return false;
  spec->scripts[spec->script_count++].name = value;
  return true;
}

/* 1 taken, 0 a bad value, -1 not one of these. */
static int take_number(xh_spec *spec, const char *key, const char *value) {
  const struct {
    const char *key;
    uint64_t *number;
    uint64_t most;
  } numbers[] = {
    {"log_limit", &spec->log_limit, INT64_MAX},
    {"deadline", &spec->deadline, INT64_MAX},
    {"stop_signal", &spec->stop_signal, (uint64_t)SIGRTMAX},
    {"grace_ms", &spec->grace_ms, UINT64_MAX},
    {"pipe_grace_ms", &spec->pipe_grace_ms, UINT64_MAX},
    {"pipe_grace_max_ms", &spec->pipe_grace_max_ms, UINT64_MAX},
    {"sync", &spec->sync, 1},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (strcmp(key, numbers[i].key) == 0)
      return xh_text_parse(value, 10, numbers[i].number) &&
             *numbers[i].number <= numbers[i].most;
  return -1;
}

/* What makes a process. */
static bool take_process(xh_spec *spec, const char *key, char *value) {
  spec->has_process = true;
  if (strcmp(key, "argv") == 0)
    return spec->argv[spec->argc++] = value, true;
  if (strcmp(key, "env") == 0)
    return spec->envp[spec->envc++] = value, strchr(value, '=') != NULL;
  if (strcmp(key, "cwd") == 0)
    return spec->cwd = value, *value == '/';
  if (strcmp(key, "cgroup") == 0)
    return spec->cgroups[spec->cgroup_count++] = value, *value == '/';
  if (strcmp(key, "uid") == 0)
    return spec->has_uid = true, parse_id(value, &spec->uid);
  if (strcmp(key, "gid") == 0)
    return spec->has_gid = true, parse_id(value, &spec->gid);
  if (strcmp(key, "group") == 0)
    return parse_id(value, &spec->groups[spec->group_count++]);
  if (strcmp(key, "umask") == 0)
    return parse_umask(spec, value);
  if (strcmp(key, "reports") == 0)
    return spec->reports = true, strcmp(value, "1") == 0;
  if (strcmp(key, "rlimit") == 0)
    return parse_rlimit(spec, value);
  if (strcmp(key, "script") == 0 || strcmp(key, "script_data") == 0)
    return take_script(spec, key, value);
  return strcmp(key, "cgroup_version") == 0 &&
         xh_text_parse(value, 10, &spec->cgroup_version) && spec->cgroup_version <= 2;
}

static bool take(xh_spec *spec, const char *key, char *value) {
  if (strcmp(key, "execution") == 0)
    return *value != '\0'; /* only there to be seen in a dump of the spec */
  int taken = xh_engine_spec_take(&spec->engine, key, value);
  if (taken < 0)
    taken = take_number(spec, key, value);
  return taken < 0 ? take_process(spec, key, value) : taken > 0;
}

static bool complete(xh_spec *spec) {
  if (!xh_engine_spec_complete(&spec->engine))
    return false;
  if (spec->stop_signal == UNSET)
    spec->stop_signal = spec->engine.address != NULL ? 0 : SIGTERM;
  if (spec->engine.address != NULL)
    return !spec->has_process;
  if (spec->argc == 0 || spec->argv[0][0] == '\0' || spec->stop_signal == 0)
    return false;
  if (spec->cgroup_version == 2 && spec->cgroup_count != 1)
    return false;
  return !lacks_content(spec);
}

static int parse(xh_spec *spec, size_t used) {
  size_t items = 0;
  if (used == 0 || spec->data[used - 1] != '\0')
    return -EINVAL;
  for (size_t i = 0; i < used; i++)
    items += spec->data[i] == '\0';
  int err = make_arrays(spec, items);
  if (err < 0)
    return err;
  for (char *item = spec->data; item < spec->data + used;) {
    char *next = item + strlen(item) + 1;
    char *value = strchr(item, '=');
    if (value == NULL)
      return -EINVAL;
    *value++ = '\0';
    if (lacks_content(spec) && strcmp(item, "script_data") != 0)
      return -EINVAL;
    if (!take(spec, item, value))
      return -EINVAL;
    item = next;
  }
  return complete(spec) ? 0 : -EINVAL;
}

int xh_spec_read(xh_spec *spec, int fd) {
  size_t used = 0;
  *spec = (xh_spec){
    .cwd = "/",
    .umask = 022,
    .cgroup_version = 1,
    .stop_signal = UNSET,
    .grace_ms = 10000,
    .pipe_grace_ms = 2000,
    .pipe_grace_max_ms = 10000,
  };
  int err = read_all(spec, fd, &used);
  return err < 0 ? err : parse(spec, used);
}

void xh_spec_drop_scripts(xh_spec *spec) {
  if (spec->script_count == 0)
    return;
  /* The host sends them last. */
  size_t used = (size_t)(spec->scripts[0].name - spec->data);
  if (mremap(spec->data, spec->data_size, used, 0) != MAP_FAILED)
    spec->data_size = used;
  spec->script_count = 0;
}
