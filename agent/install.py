"""Installing the agent: itself, its units, its version, in an order that may be cut anywhere and begun again.

Called by the bootstrap program (agent/bootstrap.py) out of the new zipapp, which lies beside the old one,
whole and synced. `agent.version` is written last: until then the controller sees the old version and
installs again.
"""

from __future__ import annotations

import os
from typing import Any

from agent import durable, lock
from agent.errors import AgentError, RefusedError
from agent.host import LIB_DIR, VAR_DIR, Host
from agent.status import agent_version
from agent.step_unit import UNIT_DIR, demand, reload

AGENT = "agent.pyz"
CALL = f"/usr/bin/python3 -I -S {LIB_DIR}/{AGENT}"
LOCK_WAIT_S = 20.0
AGENT_BYTES_MAX = 64 << 20
UNITS = {
    # Early: before systemd-sysctl reads files that may have to be taken back. It needs the disks and nothing
    # else. If it fails the boot goes on: a host that can be reached is worth more.
    "hft-recover.service": f"""\
[Unit]
Description=Undoes an hft transaction that a power cut or a crash left open
DefaultDependencies=no
Conflicts=shutdown.target
After=local-fs.target
Before=systemd-sysctl.service sysinit.target shutdown.target

[Service]
Type=oneshot
ExecStart={CALL} recover
TimeoutStartSec=300

[Install]
WantedBy=sysinit.target
""",
    # One instance per transaction. It blocks on the writer's flock: the kernel wakes it when the writer dies.
    "hft-recover@.service": f"""\
[Unit]
Description=Undoes hft transaction %i if its writer dies

[Service]
Type=exec
ExecStart={CALL} recover --wait
OOMScoreAdjust=-900
""",
    "hft-irqs.service": f"""\
[Unit]
Description=Places interrupts and kernel threads at boot and after each change of a link
After=network-pre.target

[Service]
Type=exec
ExecStart={CALL} irqs
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
""",
}
ENABLED = {"hft-recover.service": "sysinit.target", "hft-irqs.service": "multi-user.target"}


def install(host: Host, staged: str) -> dict[str, Any]:
    """Put the zipapp that lies under the name STAGED in its place; the answer for the controller."""
    version = agent_version()
    answer: dict[str, Any] = {"schema": 1, "version": version, "result": "installed", "code": "ok"}
    try:
        durable.make_dirs(host, VAR_DIR, 0o700)
        with lock.held(host, f"recover: install of {version}", wait_s=LOCK_WAIT_S):
            put_in_place(host, staged)
            install_units(host)
            durable.write_file(host, f"{LIB_DIR}/agent.version", f"{version}\n".encode())
    except (AgentError, OSError) as error:
        code = error.code if isinstance(error, RefusedError) else "step_failed"
        answer |= {"result": "refused", "code": code, "message": f"the agent was not installed: {error}"}
    return answer


def put_in_place(host: Host, staged: str) -> None:
    """Keep the agent there is as `.prev`, then one rename."""
    with durable.open_dir(host, LIB_DIR) as directory:
        if is_another(host, staged):
            spare = f".{AGENT}.hft-prev"
            durable.unlink_if_there(directory, spare)
            os.link(AGENT, spare, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
            os.rename(spare, f"{AGENT}.prev", src_dir_fd=directory, dst_dir_fd=directory)
            durable.unlink_if_there(directory, spare)  # rename(2) of two names of one file does nothing
        os.rename(staged, AGENT, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


def is_another(host: Host, staged: str) -> bool:
    """Whether there is an agent and it is not this one: installing twice must not lose the one before."""
    new, old = (durable.read_regular(host, f"{LIB_DIR}/{name}", AGENT_BYTES_MAX) for name in (staged, AGENT))
    return old is not None and new is not None and old[0] != new[0]


def install_units(host: Host) -> None:
    """Write the units, enable those that start by themselves, and let the running ones be the new ones."""
    changed = False
    durable.make_dirs(host, UNIT_DIR)
    for unit, text in UNITS.items():
        if host.read(f"{UNIT_DIR}/{unit}") != text:
            durable.write_file(host, f"{UNIT_DIR}/{unit}", text.encode())
            changed = True
    for unit, target in ENABLED.items():
        wants = f"{UNIT_DIR}/{target}.wants"
        if not os.path.lexists(host.path(f"{wants}/{unit}")):
            durable.make_dirs(host, wants)
            durable.write_link(host, f"{wants}/{unit}", f"{UNIT_DIR}/{unit}")
            changed = True
    if changed:
        reload(host)
    if host.is_live:
        demand(host, "restart", "--no-block", "hft-irqs.service")
