#!/bin/sh
# mmdebstrap customize hook: what every host shares, and no trace of the machine that built it.
set -eu
root=$1
chroot "$root" systemctl --quiet enable systemd-networkd.service
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service
# No LVM here whose ext4 snapshots could be scrubbed.
chroot "$root" systemctl --quiet disable e2scrub_reap.service e2scrub_all.timer
# Neither encrypted disks nor other architectures' programs, no TPM, no firmware to keep a crash in, no screen: generators run
# at each boot and each reload, and emulated CPUs pay a second for every few of them (systemd.generator(7)).
mkdir -p "$root/etc/systemd/system-generators"
for absent in cryptsetup veritysetup integritysetup gpt-auto hibernate-resume rc-local run system-update sysv; do
  ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$absent-generator"
done
chroot "$root" systemctl --quiet mask systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-repart.service \
  systemd-pstore.service systemd-pcrphase.service systemd-pcrphase-sysinit.service modprobe@efi_pstore.service \
  modprobe@drm.service modprobe@fuse.service sys-fs-fuse-connections.mount dev-mqueue.mount getty@tty1.service
rm -f "$root"/etc/apt/apt.conf.d/zz-build-* "$root"/etc/apt/apt.conf.d/99mmdebstrap
rm -f "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root"/etc/ssl/certs/ca-certificates.crt
# Everything a host needs is in the image: no mirror, no download.
: > "$root/etc/apt/sources.list"
# The identity of a host (name, machine-id, keys) is written into its own disk before its first boot.
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/machine-id "$root"/etc/hostname "$root"/etc/hosts
: > "$root/etc/resolv.conf"
mkdir -p "$root/var/log/journal" "$root/root/.ssh"
chmod 700 "$root/root/.ssh"
