"""The candidate's second initramfs: a few kilobytes that arm the hardware watchdog before anything else runs.

GRUB loads several initrds and the kernel unpacks them one after the other
(Documentation/driver-api/early-userspace/buffer-format.rst), so Debian's own initramfs stays untouched and
nothing is rebuilt: the overlay holds a script in /conf/conf.d, which the /init of initramfs-tools sources
right after mounting /proc, /sys and /dev, and the driver modules. The script opens /dev/watchdog0 and
closes it without the magic `V`: the timer then runs and nobody pets it (drivers/watchdog/watchdog_dev.c: no
keepalive worker once user space has opened the device). Only a commit disarms it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCRIPT = """\
# Sourced by the /init of initramfs-tools, whose shell it must not end: everything runs in a subshell.
(
	seconds=
	for word in $(cat /proc/cmdline); do
		case "$word" in hft.watchdog=*) seconds="${word#hft.watchdog=}" ;; esac
	done
	[ -n "$seconds" ] || exit 0
	while read -r file parameter; do
		if [ -z "$parameter" ]; then
			/hft/insmod "/hft/$file" 2>/dev/null
			continue
		fi
		[ -c /dev/watchdog0 ] && continue
		/hft/insmod "/hft/$file" "$parameter=$seconds" || continue
		[ -c /dev/watchdog0 ] && armed="$file"
	done </hft/order
	if [ -n "$armed" ] && echo >/dev/watchdog0; then
		echo "hft: watchdog ${armed%%.ko*} armed for $seconds s" >/dev/kmsg
	else
		echo "hft: no watchdog could be armed" >/dev/kmsg
	fi
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A watchdog driver, the module parameter for its timeout, and its longest timeout."""

    module: str
    parameter: str
    timeout_s_max: int
    pci: tuple[str, ...] = ()


# i6300esb: two stages of 10 bit (drivers/watchdog/i6300esb.c). softdog: a kernel timer, the last resort.
SOFTDOG = Driver(module="softdog", parameter="soft_margin", timeout_s_max=65535)
DRIVERS = (
    Driver(module="i6300esb", parameter="heartbeat", timeout_s_max=2046, pci=("0x8086:0x25ab",)),
    SOFTDOG,
)


def choose_drivers(pci_ids: Sequence[str], available: Sequence[str], watchdog_s: int) -> tuple[Driver, ...]:
    """The drivers to try, best first: those with a device here and a sufficient timeout; then softdog."""
    present = set(pci_ids)
    return tuple(
        driver
        for driver in DRIVERS
        if driver.module in available
        and driver.timeout_s_max >= watchdog_s
        and (not driver.pci or present & set(driver.pci))
    )


def dependencies(modules_dep: str, module: str) -> tuple[str, ...]:
    """The files to load for a module, in load order, below /lib/modules/RELEASE (modules.dep(5))."""
    for line in modules_dep.splitlines():
        path, colon, needs = line.partition(":")
        if colon and module_name(path) == module:
            return (*reversed(needs.split()), path)
    return ()


def module_name(path: str) -> str:
    """The module in a file; the kernel treats - and _ as equal."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def overlay(drivers: Sequence[Driver], modules_dep: str, files: Mapping[str, bytes]) -> bytes:
    """The archive: script, load order, insmod, and modules (FILES: by path below /lib/modules/RELEASE)."""
    order: list[str] = []
    wanted: dict[str, bytes] = {}
    for driver in drivers:
        chain = dependencies(modules_dep, driver.module)
        for path in chain:
            name = path.rpartition("/")[2]
            wanted[name] = files[path]
            line = f"{name} {driver.parameter}" if path == chain[-1] else name
            if line not in order:
                order.append(line)
    members: list[tuple[str, int, bytes]] = [("conf", 0o040755, b""), ("conf/conf.d", 0o040755, b"")]
    members += [("conf/conf.d/hft-watchdog", 0o100644, SCRIPT.encode()), ("hft", 0o040755, b"")]
    members += [("hft/order", 0o100644, "".join(f"{line}\n" for line in order).encode())]
    # kmod(8) is in every such initramfs and acts by the name it is called by
    members += [("hft/insmod", 0o120777, b"/bin/kmod")]
    members += [(f"hft/{name}", 0o100644, data) for name, data in wanted.items()]
    return cpio(members)


def cpio(members: Sequence[tuple[str, int, bytes]]) -> bytes:
    """An archive in the `newc` format: name, mode with file type, content (a link's target)."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*members, ("TRAILER!!!", 0, b"")], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)
