#!/bin/sh
# Turn a copy of the root tree into one host's root: one kernel, GRUB's files, nothing of the build.
#   finish.sh ROOT UUID KERNEL_PACKAGE_TO_REMOVE
# Runs as root in a mount namespace of its own (lab/process.py), so that what it mounts ends with it.
set -eu
root=$1 uuid=$2 remove=$3

mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for node in null zero urandom; do : > "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
mkdir -p "$root/dev/disk/by-uuid"; : > "$root/dev/disk/by-uuid/$uuid"; : > "$root/dev/vda1"

# The other kernel goes, package and all: the host then looks like one that was installed with a single kernel.
# shellcheck disable=SC2016 # dpkg-query fills this in, not the shell
versioned=$(chroot "$root" dpkg-query --show --showformat '${Depends}' "$remove" | cut -d ' ' -f 1)
chroot "$root" env DEBIAN_FRONTEND=noninteractive dpkg --purge "$remove" "$versioned"

cat > "$root/etc/fstab" <<FSTAB
UUID=$uuid / ext4 errors=remount-ro 0 0
FSTAB

# What grub-install would put there; the boot sectors are written outside, straight into the disk file.
mkdir -p "$root/boot/grub"
cp -a "$root/usr/lib/grub/i386-pc" "$root/boot/grub/"
chroot "$root" grub-editenv /boot/grub/grubenv create
chroot "$root" grub-mkimage --format=i386-pc --prefix='(hd0,msdos1)/boot/grub' --output=/boot/grub/i386-pc/core.img \
  biosdisk part_msdos ext2

# grub-mkconfig asks grub-probe about the disk, which does not exist yet: answer as the host's own will, so that
# the first `update-grub` there changes nothing. (No hints: it knows none for a virtio disk.)
cat > "$root/dev/grub-probe" <<'PROBE'
#!/bin/sh
for argument; do case "$argument" in --target=*) target=${argument#--target=} ;; esac; done
case "$target" in
  device) echo /dev/vda1 ;;
  fs_uuid) echo @UUID@ ;;
  fs) echo ext2 ;;
  partmap) echo msdos ;;
  *) exit 1 ;;
esac
PROBE
sed -i "s/@UUID@/$uuid/" "$root/dev/grub-probe"
chmod 755 "$root/dev/grub-probe"
mount --bind "$root/dev/grub-probe" "$root/usr/sbin/grub-probe"
chroot "$root" update-grub
rm -f "$root/vmlinuz.old" "$root/initrd.img.old"
