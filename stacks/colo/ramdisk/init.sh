#!/bin/sh
# The first process of the installer: sh and busybox out of the image's own initramfs, nothing else.
# It writes the image, from its medium or over TFTP, onto the machine's disk, reads it back, gives the host its key and says on the
# console what it did; then the machine is off. It never asks and never goes on after an error.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

say() { printf '\n@hft-install {"fact":"%s","value":"%s"}\n' "$1" "$2" >/dev/console; }
end() { sync; poweroff -f; sleep 60; }
fail() { say failed "$1"; end; }

# wait_for PATH: devices appear a moment after their driver.
wait_for() {
  tries=0
  while [ ! -e "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || fail "no $1"
    sleep 0.5
  done
}

mkdir -p /proc /sys /dev /medium /target
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
while read -r module; do insmod "/hft/$module" || say note "module $module was not loaded"; done </hft/modules

# handed NAME: what iPXE handed on (stacks/colo/netboot.py); nothing, where the machine started from a medium.
handed() { tr ' ' '\n' </proc/cmdline | sed -n "s/^hft\.$1=//p"; }
seen=$(tr '[:upper:]' '[:lower:]' </sys/class/dmi/id/product_uuid)
server=$(handed server)
fetch() { tftp -g -b 1428 -r "$seen/$1" -l - "$server" 2>/dev/null || fail "TFTP server $server does not give $seen/$1"; }
if [ -n "$server" ]; then
  card=$(grep -lix "$(handed card)" /sys/class/net/*/address)
  [ -n "$card" ] || fail "no driver for the card $(handed card)"
  card=${card%/address}
  ifconfig "${card##*/}" "$(handed address)" netmask "$(handed mask)" up || fail "no address for ${card##*/}"
  for name in order.sh host.tar table sha256 pieces; do fetch "$name" >"/medium/$name"; done
else
  wait_for /dev/sr0
  mount -t iso9660 -o ro /dev/sr0 /medium || fail "the medium cannot be mounted"
fi
# image: what is written. Over TFTP in waves of pieces side by side: each waits for its server at every block.
image() {
  [ -n "$server" ] || exec cat /medium/image
  # shellcheck disable=SC2046 # names without blanks, of our own making
  set -- $(cat /medium/pieces)
  while [ "$#" -gt 0 ]; do
    wave="$1 ${2-} ${3-} ${4-} ${5-} ${6-} ${7-} ${8-}"
    for piece in $wave; do fetch "$piece" >"/medium/$piece" & done
    wait
    for piece in $wave; do
      gunzip -c "/medium/$piece" || fail "$piece is torn"
      rm "/medium/$piece"
      shift
    done
  done
}
# shellcheck disable=SC1091 # written beside the image: uuid, disk, reinstall (stacks/colo/media.py)
. /medium/order.sh
# shellcheck disable=SC2154
[ "$seen" = "$uuid" ] || fail "this is machine $seen, the medium is for $uuid"
say smt "$(cat /sys/devices/system/cpu/smt/active 2>/dev/null || echo 0)"
say cpus "$(grep -c ^processor /proc/cpuinfo)"

# shellcheck disable=SC2154
wait_for "$disk"
blank=$(dd if="$disk" bs=1M count=4 2>/dev/null | tr -d '\000' | wc -c)
# shellcheck disable=SC2154
[ "$blank" = 0 ] || [ "$reinstall" = yes ] || fail "$disk is not blank"

# Each line of the table: first MiB on the disk, how many of them. What lies between is written as zeros; the last
# line is the image's end.
say note "writing $disk"
image | {
  at=0
  while read -r first count <&3; do
    if [ "$first" -gt "$at" ]; then
      dd if=/dev/zero of="$disk" bs=1M seek="$at" count=$((first - at)) conv=notrunc 2>/dev/null || fail "cannot write $disk"
    fi
    [ "$count" != 0 ] || continue
    dd of="$disk" bs=1M iflag=fullblock seek="$first" count="$count" conv=notrunc 2>/dev/null || fail "cannot write $disk"
    at=$((first + count))
  done
} 3</medium/table
sync
echo 3 >/proc/sys/vm/drop_caches

say note "reading it back"
written=$(while read -r first count; do
  [ "$count" = 0 ] || dd if="$disk" bs=1M skip="$first" count="$count" 2>/dev/null
done </medium/table | sha256sum)
say written "${written%% *}"
[ "${written%% *}" = "$(cat /medium/sha256)" ] || fail "$disk does not hold what was written"

# The kernel sees the new partition when the disk's last user has closed it.
blockdev --rereadpt "$disk" 2>/dev/null || true
case $disk in *[0-9]) partition=${disk}p1 ;; *) partition=${disk}1 ;; esac
wait_for "$partition"
mount -t ext4 "$partition" /target || fail "the image's file system cannot be mounted"
tar -xf /medium/host.tar -C /target || fail "the host's own files cannot be written"
tr -d - </proc/sys/kernel/random/uuid >/target/etc/machine-id
chmod 444 /target/etc/machine-id
mount -t devtmpfs devtmpfs /target/dev
chroot /target /usr/bin/ssh-keygen -q -t ed25519 -N '' -C '' -f /etc/ssh/ssh_host_ed25519_key </dev/null ||
  fail "no host key could be made"
say host-key "$(cut -d ' ' -f 1-2 /target/etc/ssh/ssh_host_ed25519_key.pub)"
{ umount /target/dev && umount /target; } || fail "the file system cannot be unmounted"
say 'done' yes
end
