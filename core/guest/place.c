/* place.c - mounts, modules, the root file system, the end of the machine. */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

#define MODULES "/exhost/modules"
#define NEW_ROOT "/exhost/root"
#define DEVICE_TRIES 200 /* its driver may still look for it: 5 s */
#define DEVICE_PAUSE_MS 25

static void take(xh_options *options, const char *word) {
  const struct {
    const char *name;
    char *to;
  } names[] = {
    {"exhost.report=", options->report},
    {"exhost.root=", options->root},
    {"exhost.job=", options->job},
    {"exhost.net=", options->net},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strncmp(word, names[i].name, strlen(names[i].name)) == 0)
      snprintf(names[i].to, sizeof options->root, "%s", word + strlen(names[i].name));
  options->read_only |= strcmp(word, "exhost.ro") == 0;
  options->namespaces |= strcmp(word, "exhost.namespaces") == 0;
}

void xh_place_options(xh_options *options, int argc, char **argv) {
  char line[4096] = "";
  *options = (xh_options){.report = "serial", .job = "/exhost/job"};
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
  line[got > 0 ? got : 0] = '\0';
  if (fd >= 0)
    close(fd);
  for (char *rest, *word = strtok_r(line, " \n", &rest); word != NULL;
       word = strtok_r(NULL, " \n", &rest))
    take(options, word);
  for (int i = 1; i < argc; i++)
    take(options, argv[i]);
}

static void mount_one(const char *type, const char *path, unsigned long flags,
                      const char *data) {
  mkdir(path, 0755);
  mount(type, path, type, flags, data);
}

static void mount_kernel_folders(void) {
  unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mount_one("proc", "/proc", plain, NULL);
  mount_one("sysfs", "/sys", plain, NULL);
  mount_one("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  mount_one("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
  mount_one("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  mount_one("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
  mount_one("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
  if (symlink("/proc/self/fd", "/dev/fd") == 0) {
    (void)!symlink("/proc/self/fd/0", "/dev/stdin");
    (void)!symlink("/proc/self/fd/1", "/dev/stdout");
    (void)!symlink("/proc/self/fd/2", "/dev/stderr");
  }
}

static void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    ioctl(fd, SIOCSIFFLAGS, &request);
  }
  close(fd);
}

/* In the order of their names, so that who puts them there numbers them. */
static void load_modules(void) {
  struct dirent **found;
  int count = scandir(MODULES, &found, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char path[sizeof MODULES + sizeof found[i]->d_name];
    snprintf(path, sizeof path, MODULES "/%s", found[i]->d_name);
    int fd = found[i]->d_name[0] != '.' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
      syscall(SYS_finit_module, fd, "", 0);
      close(fd);
    }
    free(found[i]);
  }
  if (count >= 0)
    free(found);
}

void xh_place_mount(const xh_options *options) {
  mount_kernel_folders();
  if (options->namespaces)
    return;
  raise_loopback();
  load_modules();
  reboot(RB_DISABLE_CAD); /* Ctrl-Alt-Del is for us, and no reset at once */
}

/* A drive that cannot be written is mounted so, also if its last user was killed: then
 * ext4 has a journal that it cannot replay. */
static int mount_as(const char *device, const char *type, unsigned long flags) {
  if (mount(device, NEW_ROOT, type, flags, NULL) == 0)
    return 0;
  int err = -errno;
  if (err != -EACCES && err != -EROFS)
    return err;
  if (mount(device, NEW_ROOT, type, MS_RDONLY, NULL) == 0)
    return 0;
  return mount(device, NEW_ROOT, type, MS_RDONLY, "noload") == 0 ? 0 : -errno;
}

static int mount_root(const xh_options *options) {
  static const char *const TYPES[] = {"ext4", "squashfs", "xfs", "btrfs", "erofs"};
  unsigned long flags = options->read_only ? MS_RDONLY : 0;
  struct stat st;
  for (int i = 0; i < DEVICE_TRIES && stat(options->root, &st) != 0; i++)
    poll(NULL, 0, DEVICE_PAUSE_MS);
  if (stat(options->root, &st) != 0)
    return -errno;
  if (S_ISDIR(st.st_mode))
    return mount(options->root, NEW_ROOT, NULL, MS_BIND, NULL) == 0 ? 0 : -errno;
  int err = -ENODEV;
  for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES && err != 0; i++) {
    int why = mount_as(options->root, TYPES[i], flags);
    /* Of many refusals the one that tells something is kept. */
    if (why == 0 || err == -ENODEV || err == -EINVAL)
      err = why;
  }
  return err;
}

int xh_place_enter(const xh_options *options) {
  if (options->root[0] == '\0')
    return 0;
  mkdir("/exhost", 0755);
  mkdir(NEW_ROOT, 0755);
  int err = mount_root(options);
  if (err < 0)
    return err;
  /* As switch_root does: pivot_root cannot leave an initramfs. */
  if (chdir(NEW_ROOT) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 ||
      chroot(".") != 0 || chdir("/") != 0)
    return -errno;
  mount_kernel_folders();
  return 0;
}

long xh_place_oom_kills(void) {
  char text[16384];
  int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close(fd);
  if (got <= 0)
    return -1;
  text[got] = '\0';
  const char *at = strstr(text, "\noom_kill ");
  return at != NULL ? strtol(at + 10, NULL, 10) : -1;
}

void xh_place_settle(const xh_options *options) {
  sync();
  if (options->root[0] != '\0' && !options->namespaces)
    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

_Noreturn void xh_place_end(const xh_options *options) {
  sync();
  /* On x86 the reset that a reboot ends with makes the monitor exit; a power-off
   * would leave it running for ever. In namespaces this kills us by SIGHUP. */
  reboot(RB_AUTOBOOT);
  if (options->namespaces)
    _exit(0);
  for (;;)
    pause();
}
