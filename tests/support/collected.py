"""A host as files for the collector: two CPUs, one of them isolated, one port, a bond, pools, a slot."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

INTERRUPTS = """\
           CPU0       CPU1
 24:          2          7  PCI-MSIX-0000:00:01.0   0-edge      virtio0-config
NMI:          0          0   Non-maskable interrupts
LOC:    9261486        167   Local timer interrupts
RES:    1370702          3   Rescheduling interrupts
CAL:    1027965          5   Function call interrupts
TLB:      95584          1   TLB shootdowns
IWI:          1          0   IRQ work interrupts
TRM:          0          0   Thermal event interrupts
THR:          0          0   Threshold APIC interrupts
MCE:          0          2   Machine check exceptions
MCP:         31         31   Machine check polls
ERR:          0
"""
SCHEDSTAT = """\
version 15
timestamp 4300000000
cpu0 0 0 0 0 0 0 900 80 70000
domain0 03 0 0 0
cpu1 0 0 0 0 0 0 900 80 41
"""
CPU1 = "sys/devices/system/cpu/cpu1/cpuidle"
NODE0 = "sys/devices/system/node/node0/hugepages/hugepages-2048kB"
BOOT_ID = "5c1f6f2e-7d0c-4f3c-9d5e-0123456789ab"
FILES: Mapping[str, str] = {
    "proc/interrupts": INTERRUPTS,
    "proc/schedstat": SCHEDSTAT,
    "proc/cmdline": "quiet\n",
    "proc/sys/kernel/random/boot_id": f"{BOOT_ID}\n",
    "etc/machine-id": f"{'a' * 32}\n",
    "etc/systemd/system/hft-engine-a.service": "[Unit]\n",
    "sys/devices/system/cpu/isolated": "1\n",
    f"{CPU1}/state0/name": "POLL\n",
    f"{CPU1}/state0/time": "1000000\n",
    f"{CPU1}/state0/latency": "0\n",
    f"{CPU1}/state2/name": "C6\n",
    f"{CPU1}/state2/time": "2500\n",
    f"{CPU1}/state2/latency": "133\n",
    f"{NODE0}/nr_hugepages": "8\n",
    f"{NODE0}/free_hugepages": "3\n",
    "sys/class/net/ens1/device/vendor": "0x8086\n",
    "sys/class/net/ens1/flags": "0x1003\n",
    "sys/class/net/ens1/carrier": "1\n",
    "sys/class/net/ens1/bonding_slave/mii_status": "up\n",
    "sys/class/net/ens2/bonding_slave/mii_status": "down\n",
    "sys/class/net/bond0/bonding/slaves": "ens1 ens2\n",
    "sys/class/net/lo/flags": "0x9\n",
}


def lay(root: Path, files: Mapping[str, str] = FILES) -> Path:
    """Write FILES below ROOT."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def page(
    values: Mapping[str, tuple[int, int]], spans_ns: tuple[int, ...] = (), *, heartbeat_ns: int = 0
) -> bytes:
    """A metrics page of process 4711, started at tick 99: name -> type and value (engine contract)."""
    names = [*values, "engine_user_span_ns"]
    data = bytearray(8192 + 8 * (len(values) + 5120))
    struct.pack_into(
        "<4sI36sIIIQQ", data, 0, b"HFTM", 1, BOOT_ID.encode(), 4711, len(names), 0, 99, heartbeat_ns
    )
    for row, name in enumerate(names):
        kind, value = values.get(name, (3, 0))
        at = 8192 + 8 * row
        count = 5120 if kind == 3 else 1
        struct.pack_into("<48sI12sQII", data, 4096 + 80 * row, name.encode(), kind, b"1", at, 0, count)
        if kind != 3:
            struct.pack_into("<q", data, at, value)
    for span in spans_ns:
        exponent = max(0, span.bit_length() - 8)
        at = 8192 + 8 * (len(values) + 128 * exponent + (span >> exponent))
        struct.pack_into("<Q", data, at, struct.unpack_from("<Q", data, at)[0] + 1)
    return bytes(data)


def stat(pid: int = 4711, start_time: int = 99) -> str:
    """/proc/PID/stat of a program with a blank and a bracket in its name."""
    return f"{pid} (my eng)ine) S " + " ".join(["1"] * 18) + f" {start_time} 0 0\n"
