/* load.c - how long it takes to load the library, open a host and close it.
 *
 *     load LIBRARY STATE_DIR     microseconds
 */
#include <dlfcn.h>
#include <exhost.h>
#include <stdio.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  double began = now();
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  __typeof__(&exhost_open) open = (__typeof__(open))dlsym(library, "exhost_open");
  __typeof__(&exhost_close) close = (__typeof__(close))dlsym(library, "exhost_close");
  exhost_options options = {.struct_size = sizeof options, .state_dir = argv[2]};
  exhost_t *host;
  if (open(&options, &host) < 0)
    return 1;
  close(host, 0);
  printf("%.0f\n", now() - began);
  return 0;
}
