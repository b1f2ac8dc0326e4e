/* attached.c - a prompt attaches to an embedder's host, where it said so, and what is
 * typed there delays no call. */
#include "embed.h"

static FILE *prompt(const char *program, const char *state, const char *code) {
  char line[1024];
  snprintf(line, sizeof line,
           "timeout 50 '%s' --state-dir '%s' repl --attach -e \"%s\" 2>&1", program,
           state, code);
  FILE *out = popen(line, "r");
  CHECK(out != NULL);
  return out;
}

/* The first line that it prints. */
static void prints(FILE *out, const char *expected) {
  char line[256] = "";
  CHECK(fgets(line, sizeof line, out) != NULL && strstr(line, expected), "%s", line);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  char why[256] = "";
  exhost_t *host = open_host(argv[2]);
  FILE *out = prompt(argv[1], argv[2], "1");
  prints(out, "no host lets prompts attach");
  pclose(out);
  exhost_close(host, 0);

  exhost_options o = {.struct_size = sizeof o,
                      .state_dir = argv[2],
                      .attach = 1,
                      .error = why,
                      .error_size = sizeof why};
  CHECK(exhost_open(&o, &host) == 0, "%s", why);
  out = prompt(argv[1], argv[2], "print(ex:id(), 6 * 7)");
  prints(out, "default\t42");
  CHECK(pclose(out) == 0);

  out = prompt(argv[1], argv[2], "print('up') while true do end");
  prints(out, "up");
  for (int i = 0; i < 3; i++) {
    char id[16];
    snprintf(id, sizeof id, "job%d", i);
    answers(host, 0, "run", job(id, "echo hello"));
  }
  answers(host, 0, "cleanup", "{}");
  exhost_close(host, 5000); /* the prompt's end comes with it */
  prints(out, "hung up");
  CHECK(pclose(out) != 0);
  return 0;
}
