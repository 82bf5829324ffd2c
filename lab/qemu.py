"""The QEMU command line of one VM: a pure function from values to argv.

What each part is for:
- q35, TCG with one thread per CPU, a CPU with SSE4.2: a machine that DPDK accepts.
- every core its own socket: the kernel's scheduler rejects a NUMA node boundary inside a socket.
- pxb-pcie with numa_node: a root bus that belongs to a node, so /sys/class/net/*/device/numa_node is real.
- e1000e on multicast sockets bound to 127.0.0.1: an Ethernet segment per lab and LAN, not visible to other
  machines.
- user networking with restrict=on: the guest reaches nothing; the controller reaches its sshd. A bare machine
  may boot from QEMU's own TFTP on it (the NIC then has its boot ROM, which every other one lacks).
- a bare machine's medium is a CD on the chipset's AHCI; the drive is there also when it is empty.
- i6300esb with the action reset: a watchdog that really resets.
- the disk in writeback mode: data that a guest has flushed survives a kill of QEMU, other data is lost, as in
  a real power cut.
- a QMP monitor on a pair of plain files: it reads `qmp_capabilities` from one and appends every event to the
  other, so that no reset or watchdog event is missed although no client is connected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.firmware import BootDevice, Firmware, board
from lab.spec import Link, VmSpec

SSH_GUEST_PORT = 22
MEDIUM_ID = "medium-drive"
# Model 28 is the in-order Atom, known to the kernel as not speculating, like an emulated CPU. As a Nehalem it
# would flush the emulated TLB at every system call (page table isolation): a third of the boot time.
_CPU = {"tcg": "Nehalem,model=28,stepping=10", "kvm": "Nehalem"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The paths, ports and networks of one VM of one lab."""

    directory: Path
    ssh_port: int
    lan_group: str
    lan_ports: tuple[int, int]
    uuid: str

    @property
    def pid_file(self) -> Path:
        """QEMU's pid; its path on QEMU's command line is part of how we know the process as ours."""
        return self.directory / "qemu.pid"

    @property
    def disk(self) -> Path:
        """The VM's own overlay of the base disk."""
        return self.directory / "disk.qcow2"

    @property
    def firmware(self) -> Path:
        """What a bare machine's BMC set; no other machine has it."""
        return self.directory / "firmware.json"

    @property
    def tftp(self) -> Path:
        """What a bare machine finds when it boots from the network: `boot.ipxe` and what that names."""
        return self.directory / "tftp"

    @property
    def console(self) -> Path:
        """Everything the serial console printed, over all boots."""
        return self.directory / "console.log"

    @property
    def qmp(self) -> Path:
        """The socket for commands."""
        return self.directory / "qmp.sock"

    @property
    def events(self) -> Path:
        """Stem of the event files: one pair per start of QEMU."""
        return self.directory / "events"


def command_line(  # noqa: PLR0913  # one machine, each by name
    spec: VmSpec,
    wiring: Wiring,
    *,
    accel: str,
    start: int,
    snapshot: str | None = None,
    firmware: Firmware | None = None,
) -> tuple[str, ...]:
    """The argv that starts SPEC as a daemon. START numbers the starts of this VM; SNAPSHOT is restored if
    given; FIRMWARE is a bare machine's."""
    if firmware is not None:
        spec = board(spec, firmware.in_force)
    argv = [
        *("qemu-system-x86_64", "-name", spec.name, "-no-user-config", "-nodefaults", "-display", "none"),
        *_machine(spec, accel),
        *_numa(spec),
        *("-uuid", wiring.uuid, "-smbios", f"type=1,manufacturer=HFT,product=lab,serial={spec.name}"),
        *_disk(wiring, firmware),
        *_networks(spec, wiring, firmware),
        *("-device", "i6300esb,bus=pcie.0", "-action", "watchdog=reset"),
        *(
            "-object",
            "rng-random,id=rng,filename=/dev/urandom",
            "-device",
            "virtio-rng-pci,bus=pcie.0,rng=rng",
        ),
        *("-chardev", f"file,id=console,path={wiring.console},append=on", "-serial", "chardev:console"),
        *("-qmp", f"unix:{wiring.qmp},server=on,wait=off"),
        *("-chardev", f"pipe,id=events,path={wiring.events}.{start}", "-mon", "chardev=events,mode=control"),
        *("-daemonize", "-pidfile", str(wiring.pid_file)),
    ]
    return (*argv, "-loadvm", snapshot) if snapshot else tuple(argv)


def _machine(spec: VmSpec, accel: str) -> list[str]:
    options = {"tcg": "tcg,thread=multi,tb-size=512", "kvm": "kvm"}[accel]
    split = ",kernel-irqchip=split" if spec.iommu else ""  # required for interrupt remapping
    # 48 bits: DPDK maps DMA by virtual address, which does not fit the default of 39.
    device = "intel-iommu,intremap=on,caching-mode=on,aw-bits=48"
    iommu = ["-device", device] if spec.iommu else []
    return ["-machine", f"q35{split}", "-accel", options, "-cpu", _CPU[accel], *iommu]


def _numa(spec: VmSpec) -> list[str]:
    count, threads = spec.cpu_count, spec.threads_per_core
    argv = ["-smp", f"{count},sockets={count // threads},cores=1,threads={threads}"]
    argv += ["-m", f"{spec.memory_mib}M"]
    for number, node in enumerate(spec.nodes):
        argv += ["-object", f"memory-backend-ram,id=mem{number},size={node.memory_mib}M"]
        cpus = "".join(f",cpus={cpu}" for cpu in node.cpus)
        argv += ["-numa", f"node,nodeid={number},memdev=mem{number}{cpus}"]
    return argv


def _disk(wiring: Wiring, firmware: Firmware | None) -> list[str]:
    drive = f"if=none,id=root,file={wiring.disk},format=qcow2,cache=writeback,discard=unmap"
    device = "virtio-blk-pci,bus=pcie.0,drive=root"
    if firmware is None:
        return ["-drive", drive, "-device", f"{device},bootindex=0"]
    order = firmware.boot_index()
    inside = f",file={firmware.medium},format=raw" if firmware.medium else ""
    index = f",bootindex={order[BootDevice.MEDIUM]}" if BootDevice.MEDIUM in order else ""
    return [
        *("-drive", f"{drive},detect-zeroes=unmap"),  # an installer's zeros take no room
        *("-device", f"{device},bootindex={order[BootDevice.DISK]}"),
        *("-drive", f"if=none,id=medium,media=cdrom,readonly=on{inside}"),
        *("-device", f"ide-cd,id={MEDIUM_ID},bus=ide.0,drive=medium{index}", "-boot", "strict=on"),
    ]


def _networks(spec: VmSpec, wiring: Wiring, firmware: Firmware | None) -> list[str]:
    forward = f"hostfwd=tcp:127.0.0.1:{wiring.ssh_port}-:{SSH_GUEST_PORT}"
    order = firmware.boot_index() if firmware is not None else {}
    boots, server = "romfile=", ""
    if BootDevice.NETWORK in order:
        boots = f"bootindex={order[BootDevice.NETWORK]}"
        server = f",tftp={wiring.tftp},bootfile=boot.ipxe"
    mgmt = f"virtio-net-pci,id={Link.MGMT},bus=pcie.0,netdev=net-mgmt,{boots},mac={spec.mac(Link.MGMT)}"
    argv = ["-netdev", f"user,id=net-mgmt,restrict=on,{forward}{server}", "-device", mgmt]
    root_bus = "pcie.0"
    if spec.nic_node:
        root_bus = "node-bus"
        argv += ["-device", f"pxb-pcie,id={root_bus},bus=pcie.0,bus_nr=64,numa_node={spec.nic_node}"]
    for slot, (link, port) in enumerate(zip((Link.A, Link.B), wiring.lan_ports, strict=True), start=1):
        argv += ["-netdev", f"socket,id=net-{link},mcast={wiring.lan_group}:{port},localaddr=127.0.0.1"]
        argv += ["-device", f"pcie-root-port,id=port-{link},bus={root_bus},chassis={slot},slot={slot}"]
        nic = f"e1000e,id={link},bus=port-{link},netdev=net-{link},romfile=,mac={spec.mac(link)}"
        argv += ["-device", nic]
    return argv
