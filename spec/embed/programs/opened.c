/* opened.c - the library by dlopen(), with its symbols kept from everybody else. */
#include <dlfcn.h>

#include "embed.h"

#define FIND(name)                                                                     \
  __typeof__(&name) my_##name = (__typeof__(&name))dlsym(library, #name)

static void use(const char *path, const char *state, const char *id) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(library != NULL, "%s", dlerror());
  FIND(exhost_open);
  FIND(exhost_call);
  FIND(exhost_next);
  FIND(exhost_event_free);
  FIND(exhost_close);
  CHECK(my_exhost_open && my_exhost_call && my_exhost_next && my_exhost_close);
  char why[256] = "";
  exhost_options o = {.struct_size = sizeof o,
                      .state_dir = state,
                      .error = why,
                      .error_size = sizeof why};
  exhost_t *host;
  CHECK(my_exhost_open(&o, &host) == 0, "%s", why);
  const char *calls[][2] = {{"run", job(id, "echo hello")}, {"cleanup", "{}"}};
  for (int i = 0; i < 2; i++) {
    exhost_event *event;
    CHECK(my_exhost_call(host, 1, calls[i][0], calls[i][1], strlen(calls[i][1]),
                         20000) == 0);
    CHECK(my_exhost_next(host, &event, 30000) == 0);
    CHECK(event->code == 0, "%s", event->json);
    my_exhost_event_free(event);
  }
  my_exhost_close(host, 0);
  dlclose(library);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  use(argv[1], argv[2], "first");
  use(argv[1], argv[2], "second"); /* threads of its own may still be there */
  usleep(50000);
  return 0;
}
