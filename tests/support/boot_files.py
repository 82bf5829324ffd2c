"""Files that systemd reads at a boot, beside ours: what each kind of line would win."""

from __future__ import annotations

ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
KSM = "/sys/kernel/mm/ksm/run"
SWAP, PAGES, SLICE = "vm.swappiness", "memory.ksm", "slice.system.slice"
OWN, DIRTY, FIRST = "slice.hft-engine.slice", "vm.dirty_ratio", "pid1.affinity"
UNITS = "systemd/system"
POOL = "cmdline.hugepages"
NODE_POOL = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"
ALL_POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
# kind -> folder, text, finding, whether a file that is read before ours wins, and one after ours
KINDS: dict[str, tuple[str, str, str, bool, bool]] = {
    "sysctl": ("sysctl.d", "vm.swappiness = 60\n", SWAP, False, True),
    "sysctl with slashes": ("sysctl.d", "vm/swappiness=60\n", SWAP, False, True),
    "sysctl, failure ignored": ("sysctl.d", "-vm.swappiness = 60\n", SWAP, False, True),
    "sysctl, taken away": ("sysctl.d", "-vm.swappiness\n", SWAP, False, True),
    "sysctl pattern": ("sysctl.d", "vm.swapp* = 60\n", SWAP, False, False),
    "sysctl with a lone dot": ("sysctl.d", "vm/./swappiness=60\n", SWAP, False, True),
    "sysctl with a needless dot": ("sysctl.d", ".vm..swappiness.=60\n", SWAP, False, True),
    "sysctl with two dashes": ("sysctl.d", "--vm.swappiness=60\n", SWAP, False, False),
    "pattern that sets another": ("sysctl.d", "vm.dirty_byte*=4096\n", DIRTY, False, True),
    "braces in a pattern": ("sysctl.d", "vm.{dirty_,x}byte?=4096\n", DIRTY, False, True),
    "sysctl by tmpfiles": ("tmpfiles.d", "w /proc/sys/vm/swappiness - - - - 60\n", SWAP, True, True),
    "sysctl by tmpfiles, file": ("tmpfiles.d", "f+ /proc/sys/vm/swappiness - - - - 60\n", SWAP, True, True),
    "sysctl by tmpfiles, another": (
        "tmpfiles.d",
        "w /proc/sys/vm/dirty_b*s - - - - 4096\n",
        DIRTY,
        True,
        True,
    ),
    "sysctl by tmpfiles, as planned": (
        *("tmpfiles.d", "w /proc/sys/vm/swappiness - - - - 10\n", SWAP),
        *(False, False),
    ),
    "pool by sysctl": ("sysctl.d", "vm.nr_hugepages = 7\n", POOL, True, True),
    "pool by sysctl pattern": ("sysctl.d", "vm.nr_huge* = 7\n", POOL, True, True),
    "pool by policy": ("sysctl.d", "vm.nr_hugepages_mempolicy = 7\n", POOL, True, True),
    "pool by tmpfiles": ("tmpfiles.d", f"w {NODE_POOL} - - - - 7\n", POOL, True, True),
    "pool by tmpfiles, all nodes": ("tmpfiles.d", f"w {ALL_POOL} - - - - 0\n", POOL, True, True),
    "pool by tmpfiles, sysctl": ("tmpfiles.d", "w /proc/sys/vm/nr_hugepages - - - - 0\n", POOL, True, True),
    "pages that may be had": ("sysctl.d", "vm.nr_overcommit_hugepages = 7\n", POOL, False, False),
    "sysctl in a comment": ("sysctl.d", "# vm.swappiness = 60\n", SWAP, False, False),
    "sysctl that sets another": ("sysctl.d", "vm.dirty_bytes = 4096\n", DIRTY, False, True),
    "sysfs": ("tmpfiles.d", f"w {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs at boot only": ("tmpfiles.d", f"w! {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs, appended": ("tmpfiles.d", f"w+ {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs, appended twice": (
        *("tmpfiles.d", f"w+ {KSM} - - - - 0\nw+ {KSM} - - - - 1\n", PAGES),
        *(True, False),
    ),
    "sysfs, appended, then not": (
        *("tmpfiles.d", f"w+ {KSM} - - - - 0\nw {KSM} - - - - 1\n", PAGES),
        *(False, False),
    ),
    "sysfs, ignored path": ("tmpfiles.d", f"x {KSM}\n", PAGES, True, False),
    "sysfs pattern": ("tmpfiles.d", "w /sys/kernel/mm/*/run - - - - 1\n", PAGES, False, True),
    "sysfs, braces": ("tmpfiles.d", "w /sys/kernel/mm/{ksm,x}/run - - - - 1\n", PAGES, False, True),
    "sysfs, negated class": ("tmpfiles.d", "w /sys/kernel/mm/[^x]sm/run - - - - 1\n", PAGES, False, True),
    "sysfs, slash at the end": ("tmpfiles.d", f"w {KSM}/ - - - - 1\n", PAGES, True, False),
    "sysfs, lone dot": ("tmpfiles.d", "w /sys/kernel/./mm/ksm/run - - - - 1\n", PAGES, True, False),
    "sysfs, refused detour": (
        "tmpfiles.d",
        "w /sys/kernel/../kernel/mm/ksm/run - - - - 1\n",
        PAGES,
        False,
        False,
    ),
    "sysfs, other's modifiers": ("tmpfiles.d", f"w!-= {KSM} - - - - 1\n", PAGES, True, False),
    "sysfs, escaped value": ("tmpfiles.d", f"w {KSM} - - - - \\x31\n", PAGES, True, False),
    "sysfs, our value escaped": ("tmpfiles.d", f"w {KSM} - - - - \\x30\n", PAGES, False, False),
    "sysfs without a value": ("tmpfiles.d", f"w {KSM} - - - -\n", PAGES, False, False),
    "slice": (f"{UNITS}/system.slice.d", "[Slice]\nAllowedCPUs=0-3\n", SLICE, False, True),
    "slice, other section": (f"{UNITS}/system.slice.d", "[Unit]\nAllowedCPUs=0-3\n", SLICE, False, False),
    "own slice": (f"{UNITS}/hft-engine.slice.d", "[Slice]\nAllowedCPUs=1\n", OWN, True, True),
    "own slice's prefix": (f"{UNITS}/hft-.slice.d", "[Slice]\nAllowedCPUs=1\n", OWN, True, True),
    "slice above": (f"{UNITS}/hft.slice.d", "[Slice]\nAllowedCPUs=0-1\n", OWN, True, True),
    "slice above, begun anew": (
        f"{UNITS}/hft.slice.d",
        "[Slice]\nAllowedCPUs=0\nAllowedCPUs=\n",
        OWN,
        False,
        False,
    ),
    "slice above with all CPUs": (f"{UNITS}/hft.slice.d", "[Slice]\nAllowedCPUs=0-3\n", OWN, False, False),
    "slice behind a byte order mark": (
        *(f"{UNITS}/system.slice.d", "\ufeff[Slice]\nAllowedCPUs=0-3\n", SLICE),
        *(False, True),
    ),
    "slice behind two marks": (
        *(f"{UNITS}/system.slice.d", "\ufeff#\n\ufeff[Slice]\nAllowedCPUs=0-3\n", SLICE),
        *(False, False),
    ),
    "system.conf behind a byte order mark": (
        *("systemd/system.conf.d", "\ufeff[Manager]\nCPUAffinity=0-3\n", FIRST),
        *(False, True),
    ),
    "system.conf": ("systemd/system.conf.d", "[Manager]\nCPUAffinity=0-3\n", FIRST, False, True),
}

# Each folder with one kind of each sort of file, and each other kind with one folder.
PLACES = [
    (root, kind)
    for at, kind in enumerate(KINDS)
    for root in (ROOTS if kind in ("sysctl", "sysfs", "slice", "system.conf") else (ROOTS[at % len(ROOTS)],))
]
# Lines of which text alone does not tell whether they reach our file: folder, text, finding.
DOUBTFUL: dict[str, tuple[str, str, str]] = {
    "escaped path": ("tmpfiles.d", 'w "/sys/kernel/mm/\\x6bsm/run" - - - - 1\n', PAGES),
    "specifier in the path": ("tmpfiles.d", "w /sys/kernel/mm/%m/run - - - - 1\n", PAGES),
    "class with a name": ("tmpfiles.d", "w /sys/kernel/mm/[[:alpha:]]sm/run - - - - 1\n", PAGES),
    "braces and brackets": ("tmpfiles.d", "w /sys/kernel/mm/{[k]sm,x}/run - - - - 1\n", PAGES),
    "bracket with a brace": ("tmpfiles.d", "w /sys/kernel/mm/ksm/[{r]un - - - - 1\n", PAGES),
    "another way": ("tmpfiles.d", "w /sys/bus/x/devices/ksm/run - - - - 1\n", PAGES),
    "another way, by pattern": ("tmpfiles.d", "w /s*/x/*/k*/run - - - - 1\n", PAGES),
    "modifiers of tomorrow": ("tmpfiles.d", f"w$ {KSM} - - - - 1\n", PAGES),
    "sysctl by a detour": ("sysctl.d", "net/../vm/swappiness = 60\n", SWAP),
    "sysfs by sysctl": ("sysctl.d", "vm/../../../sys/kernel/mm/ksm/run = 1\n", PAGES),
    "sysctl by a detour and a pattern": ("sysctl.d", "net/*/../../vm/swappiness = 60\n", SWAP),
}
