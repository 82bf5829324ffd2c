#!/bin/sh
# mmdebstrap customize hook: what every host shares, and no trace of the machine that built it.
set -eu
root=$1
chroot "$root" systemctl --quiet enable systemd-networkd.service
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service
# No LVM here whose ext4 snapshots could be scrubbed.
chroot "$root" systemctl --quiet disable e2scrub_reap.service e2scrub_all.timer
rm -f "$root"/etc/apt/apt.conf.d/zz-build-* "$root"/etc/apt/apt.conf.d/99mmdebstrap
rm -f "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root"/etc/ssl/certs/ca-certificates.crt
# Everything a host needs is in the image: no mirror, no download.
: > "$root/etc/apt/sources.list"
# The identity of a host (name, machine-id, keys) is written into its own disk before its first boot.
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/machine-id "$root"/etc/hostname "$root"/etc/hosts
: > "$root/etc/resolv.conf"
mkdir -p "$root/var/log/journal" "$root/root/.ssh"
chmod 700 "$root/root/.ssh"
