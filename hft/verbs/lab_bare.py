"""`hft lab bare` and `hft lab bmc`: a machine as it comes out of the box, and the BMC that stands for it."""

from __future__ import annotations

import json
import signal

import click

from lab.bare import macs, rack
from lab.driver import Lab
from lab.image import Kernel
from lab.paths import lab_name
from lab.spec import HostRole, Node, VmSpec
from transport.show import tell

NUMBERS = range(41, 250)  # of a bare machine: the hosts of a lab have lower ones


@click.command()
@click.argument("name")
@click.option("--cores", type=click.IntRange(1, 8), default=2, show_default=True)
@click.option("--memory-mib", type=click.IntRange(512, 16384), default=1536, show_default=True)
@click.option("--disk-gib", type=click.IntRange(4, 64), default=4, show_default=True)
@click.option("--number", type=click.IntRange(NUMBERS[0], NUMBERS[-1]), default=NUMBERS[0], show_default=True)
def bare(name: str, cores: int, memory_mib: int, disk_gib: int, number: int) -> None:
    """Put a machine with a blank disk into the lab, switched off, and print its delivery note.

    The note is an order for the project `colo` (docs/colo.md); what the machine is to be is added to it.

    \b
    Examples:
      hft lab bare colo-1
      hft lab bare colo-2 --cores 4 --number 42
    """
    spec = VmSpec(
        name=name,
        number=number,
        kernel=Kernel.GENERIC,
        role=HostRole.ENGINE,
        failure_domain=name,
        nodes=(Node(cpus=tuple(range(cores)), memory_mib=memory_mib),),
    )

    def told(sentence: str) -> None:
        tell(sentence, err=True)

    machine = rack(Lab.named(lab_name()), spec, told, disk_mib=disk_gib * 1024)
    note = {"name": name, "uuid": machine.wiring.uuid, "serial": name, "macs": macs(machine)}
    tell(json.dumps(note))
    tell(f"its ssh port: {machine.wiring.ssh_port}; its console: {machine.wiring.console}", err=True)


@click.command()
@click.option("--port", type=click.IntRange(1024, 65535), default=8443, show_default=True)
def bmc(port: int) -> None:
    """Serve the lab's bare machines over Redfish on loopback, until Ctrl-C.

    Prints what an inventory needs: address, pin of the certificate, file of the credential. Needs
    `make setup-stacks`.

    \b
    Examples:
      hft lab bmc
      hft lab bmc --port 9443
    """
    from stacks.bmc.service import files_of, serving

    lab = Lab.named(lab_name())
    files = files_of(lab)
    with serving(lab, port=port) as url:
        tell(
            f'address = "{url}"\ntls_sha256 = "{files.tls_sha256()}"\ncredential = "{files.credential}"\n'
            "serving; Ctrl-C ends it"
        )
        signal.pause()
