/* logging.c - the library's own log: a pipe that is full, and would block, loses lines
 * and holds nothing up. */
#include <fcntl.h>
#include <sys/stat.h>

#include "embed.h"

/* A backend whose planning is broken, which is logged. */
static const char BROKEN[] =
  "local function no() return {} end\n"
  "return { name = 'own', capabilities = {}, params = { type = 'any' }, open = no,\n"
  "  plan = function() error 'broken' end, check = no, create = no, source = no,\n"
  "  conclude = no, remove = no, list = no }\n";
static const char PLAN[] = "{\"request\":{\"engine_spec\":{\"type\":\"own\"}}}";

static void write_backend(const char *folder) {
  char path[512];
  const char *const parts[] = {"", "/backends", "/backends/own"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s%s", folder, parts[i]);
    CHECK(mkdir(path, 0755) == 0);
  }
  strcat(path, "/init.lua");
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fputs(BROKEN, file) >= 0 && fclose(file) == 0);
}

int main(int argc, char **argv) {
  char lua[512], drained[4096];
  int pipes[2];
  const char *folder = argv[argc - 1];
  snprintf(lua, sizeof lua, "%s-lua", folder);
  umask(022);
  write_backend(lua);
  CHECK(pipe(pipes) == 0);
  exhost_options o = {.struct_size = sizeof o,
                      .state_dir = folder,
                      .lua_path = lua,
                      .has_log_fd = 1,
                      .log_fd = pipes[1]};
  exhost_t *host;
  CHECK(exhost_open(&o, &host) == 0);
  answers(host, EXHOST_INTERNAL, "plan", PLAN);
  ssize_t got = read(pipes[0], drained, sizeof drained - 1);
  CHECK(got > 0);
  drained[got] = '\0';
  CHECK(strstr(drained, "\"level\":\"error\"") && strstr(drained, "broken"), "%s",
        drained);

  CHECK(fcntl(pipes[1], F_SETFL, O_NONBLOCK) == 0);
  while (write(pipes[1], drained, 1) == 1)
    ;
  CHECK(fcntl(pipes[1], F_SETFL, 0) == 0);
  answers(host, EXHOST_INTERNAL, "plan", PLAN);
  answers(host, EXHOST_OK, "list", "{}");
  exhost_close(host, 0);
  return 0;
}
