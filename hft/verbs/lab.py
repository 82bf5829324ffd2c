"""`hft lab`: the lab on this machine, by hand.

Every verb acts on the lab that $HFT_LAB names (default: `default`).
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hft import options
from hft.verbs.lab_bare import bare, bmc
from inventory.pace import deadlines_of
from lab.driver import Lab
from lab.errors import LabError, LabUsageError
from lab.image import Kernel, ensure_image
from lab.machine import Machine
from lab.paths import lab_name
from lab.spec import ADDED_NUMBERS, HostRole, Link, Node, VmSpec, nodes_of
from transport.show import tell, tell_document

FOLLOW_INTERVAL_S = 0.3


class _Progress:
    """Sentences with the seconds since the verb began, on stderr."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def __call__(self, sentence: str) -> None:
        tell(f"[{time.monotonic() - self._began_s:6.1f} s] {sentence}", err=True)


def _lab() -> Lab:
    return Lab.named(lab_name())


@click.group()
def lab() -> None:
    """Real Debian kernels in VMs on this machine.

    \b
    The site: engine-1 (PREEMPT_RT kernel), engine-2 (generic kernel), ops.
    HFT_LAB names the lab (several can be up at once), HFT_LAB_DIR holds their state, HFT_CACHE_DIR the
    images, HFT_ACCEL=auto (the default) uses KVM if a probe boot of at most 20 s succeeds; kvm, tcg.

    \b
    Examples:
      hft lab up                     # all three hosts
      HFT_LAB=mine hft lab up engine-1
      hft lab add standby            # one more, of any shape
      hft lab ssh engine-1 uname -v
      hft lab down
    """


@lab.command()
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option(
    "--restore", is_flag=True, help="Restore freshly booted hosts from the cache instead of booting."
)
def up(hosts: tuple[str, ...], restore: bool) -> None:
    """Start hosts (default: the whole site and what was added) and wait until each answers over SSH.

    With --restore a new lab starts within seconds from a snapshot of hosts that have just booted; the first
    time they boot once and the snapshot is taken.

    \b
    Examples:
      hft lab up
      hft lab up engine-1 engine-2 --restore
    """
    machines = _lab().up(_lab().specs(hosts), _Progress(), restore=restore)
    tell(f"lab {lab_name()} is up: {', '.join(machine.name for machine in machines)}")


def _shapes(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Each `CPUS:MIB`, one NUMA node."""
    found = []
    for word in words:
        cpus, _mark, memory = word.partition(":")
        if not (cpus.isdecimal() and memory.isdecimal() and len(word) < 20):
            raise click.BadParameter(f"{word!r} is no NUMA node; write CPUS:MIB, such as 2:512")
        found.append((int(cpus), int(memory)))
    return tuple(found)


@lab.command()
@click.argument("host")
@click.option(
    "--node",
    "shapes",
    callback=_shapes,
    metavar="CPUS:MIB",
    multiple=True,
    default=("1:512", "3:1024"),
    help="A NUMA node; again for the next one (default: 1:512 and 3:1024, as an engine host).",
)
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of each core.")
@click.option("--nic-node", type=int, help="NUMA node of its trading NICs (default: the last one).")
@click.option(
    "--kernel",
    type=click.Choice([str(one) for one in Kernel]),
    default=str(Kernel.GENERIC),
    show_default=True,
)
@click.option(
    "--role",
    type=click.Choice([str(one) for one in HostRole]),
    default=str(HostRole.STANDBY),
    show_default=True,
)
@click.option("--failure-domain", default="rack-s", show_default=True, metavar="NAME")
@click.option(
    "--number",
    type=int,
    help=f"Last byte of its addresses (default: the first free one from {ADDED_NUMBERS.start}).",
)
@click.option("--no-wait", is_flag=True, help="Return when its power is on.")
def add(host: str, shapes: tuple[tuple[int, int], ...], no_wait: bool, **given: Any) -> None:
    """Have one host more, of any shape; a lab that is not up begins with it.

    One that is there with this very shape is adopted: its disk and its identity stay, and it is started
    where it is off. Another machine of that name is refused.

    \b
    Examples:
      hft lab add standby
      hft lab add standby --node 2:512 --node 2:1024 --threads 2 --kernel rt
    """
    spec = _spec(host, nodes_of(shapes), **given)
    machine = _lab().add(spec, _Progress(), wait=not no_wait)
    tell(f"{host}: {'power is on' if no_wait else 'up'}, {machine.spec.shape}")


def _spec(host: str, nodes: tuple[Node, ...], **given: Any) -> VmSpec:
    there = {name: entry["spec"]["number"] for name, entry in _lab().entries().items()}
    free = (number for number in ADDED_NUMBERS if number not in there.values())
    return VmSpec(
        name=host,
        number=there.get(host) or next(free, 0) if given["number"] is None else given["number"],
        kernel=Kernel(given["kernel"]),
        role=HostRole(given["role"]),
        failure_domain=given["failure_domain"],
        nodes=nodes,
        nic_node=len(nodes) - 1 if given["nic_node"] is None else given["nic_node"],
        threads_per_core=given["threads"],
    )


@lab.command()
@click.argument("host")
def remove(host: str) -> None:
    """Stop HOST and remove what is its own: disk, identity, console. With its last host the lab goes, too.

    \b
    Examples:
      hft lab remove standby
    """
    was_there = _lab().remove(host, _Progress())
    tell(f"{host}: removed" if was_there else f"{host}: was not in lab {lab_name()}")


@lab.command()
def down() -> None:
    """Stop every host of the lab and remove its state: disks, keys, logs.

    \b
    Examples:
      hft lab down
      HFT_LAB=mine hft lab down
    """
    stopped = _lab().down(_Progress())
    tell(f"lab {lab_name()} is down ({stopped} hosts were running)")


@lab.command()
def image() -> None:
    """Build the hosts' disk image, or find it in the cache; print its directory.

    \b
    Examples:
      hft lab image
    """
    tell(str(ensure_image(_Progress()).directory))


@lab.command()
@options.JSON
def status(as_json: bool) -> None:
    """Show the lab's hosts: running or off, port, boots, resets and who asked for them.

    \b
    Examples:
      hft lab status
      hft lab status --json | jq '.hosts["engine-1"].boots'
    """
    entries = _lab().entries()
    standing = {
        machine.name: {**_standing(machine), "owner": entries[machine.name].get("owner", "")}
        for machine in _lab().machines()
    }
    if as_json:
        tell_document({"schema": 1, "name": lab_name(), "hosts": standing})
        return
    if not standing:
        tell(f"lab {lab_name()} is down")
    for name, seen in standing.items():
        power = f"running, pid {seen['pid']}" if seen["pid"] else "off"
        tell(
            f"{name}: {power}, {seen['kernel']} kernel, ssh port {seen['ssh_port']}, "
            f"{seen['boots']} boots, resets by {', '.join(seen['resets']) or 'nobody'}"
            f"{', made by ' + seen['owner'] if seen['owner'] else ''}"
        )


def _standing(machine: Machine) -> dict[str, Any]:
    return {
        "pid": machine.pid(),
        "kernel": str(machine.spec.kernel),
        "role": str(machine.spec.role),
        "ssh_port": machine.wiring.ssh_port,
        "boots": machine.boots(),
        "resets": [reset.by for reset in machine.resets()],
        "console": str(machine.wiring.console),
    }


@lab.command()
@options.JSON
def speed(as_json: bool) -> None:
    """Measure how fast the lab is now, keep it, and show the deadlines that follow from it.

    \b
    Examples:
      hft lab speed
    """
    found = _lab().measured(lambda _: None)
    if found is None:
        raise LabError(f"lab {lab_name()} has no host that runs; hint: hft lab up")
    deadlines = deadlines_of(found)
    if as_json:
        tell_document({"schema": 1, "speed": asdict(found), "deadlines": asdict(deadlines)})
        return
    tell(f"measured: {found.sentence()}")
    tell(f"deadlines: {deadlines.sentence()}")


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(host: str, command: tuple[str, ...]) -> None:
    """Open a root shell on HOST, or run COMMAND there (ends with its exit code).

    \b
    Examples:
      hft lab ssh engine-1
      hft lab ssh engine-1 cat /proc/cmdline
    """
    argv = [*_lab().machine(host).login.argv(), *(["--", *command] if command else [])]
    # This process becomes ssh, so that terminal, signals and exit code are ssh's.
    os.execvp(argv[0], argv)  # noqa: S606


@lab.command()
@click.argument("host")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until Ctrl-C.")
def console(host: str, follow: bool) -> None:
    """Print what the serial console of HOST has shown, over all its boots.

    \b
    Examples:
      hft lab console engine-1 | tail
      hft lab console engine-1 -f
    """
    _print_file(_lab().machine(host).wiring.console, follow=follow)


def _print_file(path: Path, *, follow: bool) -> None:
    with path.open(errors="replace") as file:
        while True:
            sys.stdout.write(file.read())
            sys.stdout.flush()
            if not follow:
                return
            time.sleep(FOLLOW_INTERVAL_S)


@lab.command()
@click.argument("host")
def crash(host: str) -> None:
    """Cut the power of HOST: what it had not flushed is lost. `hft lab up HOST` powers it on again.

    \b
    Examples:
      hft lab crash engine-2 && hft lab up engine-2
    """
    _lab().machine(host).crash()
    tell(f"{host}: power is off")


@lab.command()
@click.argument("host")
@click.option("--clock-runs", is_flag=True, help="Let the guest's clock see the gap (SIGSTOP of its QEMU).")
def freeze(host: str, clock_runs: bool) -> None:
    """Stop every CPU of HOST where it stands.

    \b
    Examples:
      hft lab freeze engine-1
      hft lab freeze engine-1 --clock-runs
    """
    _lab().machine(host).freeze(guest_clock_stops=not clock_runs)
    tell(f"{host}: frozen")


@lab.command()
@click.argument("host")
def thaw(host: str) -> None:
    """Let a frozen HOST go on.

    \b
    Examples:
      hft lab thaw engine-1
    """
    _lab().machine(host).thaw()
    tell(f"{host}: running")


@lab.command()
@click.argument("host")
@click.argument("network", type=click.Choice([str(link) for link in Link]))
@click.argument("state", type=click.Choice(["up", "down"]))
def link(host: str, network: str, state: str) -> None:
    """Pull or plug a network cable of HOST: trading LAN a or b, or mgmt.

    \b
    Examples:
      hft lab link engine-1 a down
      hft lab link engine-1 a up
    """
    machine = _lab().machine(host)
    if not machine.is_running():
        raise LabUsageError(f"{host} is off: its cables cannot be moved")
    change = machine.unblock if state == "up" else machine.block
    change(Link(network))
    tell(f"{host}: link {network} is {state}")


lab.add_command(bare)
lab.add_command(bmc)
