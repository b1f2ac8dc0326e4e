# common.sh - what the machines of this folder share. Sourced in the tree's root, with $build set.
#
# The kernel is Debian's own, unpacked and not installed; the machine is emulated, so that no
# /dev/kvm is needed, and its root is in memory.

store=$(dirname "$build")/kernel # kept from run to run beside the build
work=$(mktemp -d /tmp/exhost-vm-XXXXXX)
trap 'rm -rf "$work"' EXIT
root=$work/root

newest() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p' | head -1
}

# The newest cloud kernel that apt knows.
kernel() {
  if [ ! -f "$store/vmlinuz" ]; then
    package=$(newest)
    [ -n "$package" ] || { apt-get update -q >/dev/null 2>&1 && package=$(newest); }
    mkdir -p "$work/kernel" "$store"
    (cd "$work/kernel" && apt-get download -q "$package" >/dev/null 2>&1 && dpkg -x ./*.deb .) ||
      { echo "vm: cannot get the kernel package $package" >&2; exit 1; }
    cp "$work"/kernel/boot/vmlinuz-* "$store/vmlinuz"
  fi
  echo "$store/vmlinuz"
}

# boot INITRD MEMORY_MIB SECONDS WORDS: run the machine, and end as it says by a last line
# "exhost-vm-exit STATUS".
boot() {
  timeout -s KILL "$3" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 \
    -m "$2" -nodefaults -display none -serial stdio -no-reboot -kernel "$(kernel)" \
    -initrd "$1" -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all $4" </dev/null |
    tee "$work/console" | tr -d '\r'
  code=$(tr -d '\r' <"$work/console" | sed -n 's/^exhost-vm-exit //p' | tail -1)
  [ -n "$code" ] || { echo "vm: it ended without a word" >&2; exit 1; }
  exit "$code"
}
