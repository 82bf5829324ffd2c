"""Files that systemd reads at a boot, beside ours: what each kind of line would win."""

from __future__ import annotations

ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
KSM = "/sys/kernel/mm/ksm/run"
SWAP, PAGES, SLICE = "vm.swappiness", "memory.ksm", "slice.system.slice"
OWN, DIRTY, FIRST = "slice.hft-engine.slice", "vm.dirty_ratio", "pid1.affinity"
UNITS = "systemd/system"
# kind -> folder, text, finding, whether a file that is read before ours wins, and one after ours
KINDS: dict[str, tuple[str, str, str, bool, bool]] = {
    "sysctl": ("sysctl.d", "vm.swappiness = 60\n", SWAP, False, True),
    "sysctl with slashes": ("sysctl.d", "vm/swappiness=60\n", SWAP, False, True),
    "sysctl, failure ignored": ("sysctl.d", "-vm.swappiness = 60\n", SWAP, False, True),
    "sysctl, taken away": ("sysctl.d", "-vm.swappiness\n", SWAP, False, True),
    "sysctl pattern": ("sysctl.d", "vm.swapp* = 60\n", SWAP, False, False),
    "sysctl in a comment": ("sysctl.d", "# vm.swappiness = 60\n", SWAP, False, False),
    "sysctl that sets another": ("sysctl.d", "vm.dirty_bytes = 4096\n", DIRTY, False, True),
    "sysfs": ("tmpfiles.d", f"w {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs at boot only": ("tmpfiles.d", f"w! {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs, appended": ("tmpfiles.d", f"w+ {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs, ignored path": ("tmpfiles.d", f"x {KSM}\n", PAGES, True, False),
    "sysfs pattern": ("tmpfiles.d", "w /sys/kernel/mm/*/run - - - - 1\n", PAGES, False, True),
    "sysfs without a value": ("tmpfiles.d", f"w {KSM} - - - -\n", PAGES, False, False),
    "slice": (f"{UNITS}/system.slice.d", "[Slice]\nAllowedCPUs=0-3\n", SLICE, False, True),
    "slice, other section": (f"{UNITS}/system.slice.d", "[Unit]\nAllowedCPUs=0-3\n", SLICE, False, False),
    "own slice": (f"{UNITS}/hft-engine.slice.d", "[Slice]\nAllowedCPUs=1\n", OWN, True, True),
    "own slice's prefix": (f"{UNITS}/hft-.slice.d", "[Slice]\nAllowedCPUs=1\n", OWN, True, True),
    "system.conf": ("systemd/system.conf.d", "[Manager]\nCPUAffinity=0-3\n", FIRST, False, True),
}
