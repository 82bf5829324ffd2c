#!/bin/sh
# The throwaway host of the benchmark: becomes its sshd, and ends with it.
#
# Started in fresh mount, PID, IPC and UTS namespaces (unshare(1)), it builds a root of its own on a tmpfs, makes it
# / with pivot_root(2) and detaches the old one, so that nothing in here can reach a file of the real machine. /usr
# is the real one, read-only. /proc and /sys are the made host's plain files, which every tool sees and changes
# alike; the kernel's own would show the CPUs of this machine and let its sysctls be changed. A reboot(2) in here only ends the PID namespace, and the capabilities that could reach past the
# namespaces are dropped for good before sshd starts.
#
# Arguments: the folder with the made host (tree/) and the mount point (root/); the path of sshd.
set -eu
stage=$1
sshd=$2
root=$stage/root

mount -t tmpfs -o mode=0755,size=512m hft-bench "$root"
cd "$root"
mkdir -p usr etc proc sys dev/pts run/sshd root tmp var/lib var/log var/tmp boot old
chmod 0700 root
chmod 1777 tmp var/tmp
for name in bin sbin lib lib32 lib64 libx32; do
  [ -L "/$name" ] && ln -s "$(readlink "/$name")" "$name"
done
mount --bind /usr usr
mount -o remount,bind,ro usr
# No service manager runs in here; see systemctl.sh. The unit files are the made host's own too.
cp usr/bin/systemctl run/systemctl.real
cp "$stage/systemctl.sh" run/systemctl
chmod 0755 run/systemctl
mount --bind run/systemctl usr/bin/systemctl
mount -t tmpfs -o mode=0755 units usr/lib/systemd/system
cp -a "$stage/tree/usr/lib/systemd/system/." usr/lib/systemd/system/
# /usr/local is the host's own: writable and empty, except where the mount point itself is missing.
[ ! -d usr/local ] || { mount -t tmpfs -o mode=0755 local usr/local && mkdir -p usr/local/bin usr/local/lib usr/local/sbin; }

for name in alternatives ld.so.cache ld.so.conf ld.so.conf.d os-release debian_version; do
  [ ! -e "/etc/$name" ] || cp -a "/etc/$name" etc/
done
cp -a "$stage/tree/etc/." etc/
cp -a "$stage/tree/boot/." boot/ 2>/dev/null || :
cp -a "$stage/tree/root/." root/
chown -R 0:0 etc root

mount -t tmpfs -o mode=0755 dev dev
mkdir -p dev/pts dev/shm
for node in null zero full random urandom tty; do
  : >"dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=0755 sysfs sys
cp -a "$stage/tree/sys/." sys/
cp -a "$stage/tree/proc" run/made
mount -t proc proc proc # what umount(8) below reads; the made one covers it afterwards

pivot_root . old
cd /
umount -l /old
rmdir /old
mount -t tmpfs -o mode=0755 proc /proc
cp -a /run/made/. /proc/
rm -rf /run/made
exec setpriv \
  --bounding-set=-sys_admin,-sys_boot,-sys_module,-sys_rawio,-sys_time,-sys_ptrace,-net_admin,-mknod,-syslog,-linux_immutable \
  --inh-caps=-all "$sshd" -D -e -f /etc/ssh/sshd_config
