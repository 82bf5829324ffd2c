"""Installing the agent: itself, its units, its version, in an order that may be interrupted and repeated.

Called by the bootstrap program (agent/install/bootstrap.py) from the new zipapp, which is already beside
the old one, complete and synced. `agent.version` is written last: until then the controller sees the old
version and installs again. An install that fails takes itself back: a host without an agent has none after
it, and one with an agent has the one before. A newer release is never replaced by an older one.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent import durable, lock, obstacles
from agent.errors import AgentError, RefusedError
from agent.host import HostRoot, agent_version
from agent.install.units import ENABLED, UNITS
from agent.paths import LIB_DIR, VAR_DIR
from agent.transaction.step_unit import demand, reload, remove_if_empty, systemctl
from tuning.units import UNIT_DIR

AGENT = "agent.pyz"
VERSION = f"{LIB_DIR}/agent.version"
IRQS = "hft-irqs.service"
LOCK_WAIT_S = 20.0
AGENT_BYTES_MAX = 64 << 20
WANTS = {unit: f"{UNIT_DIR}/{target}.wants/{unit}" for unit, target in ENABLED.items()}
# Everything an install may change, in the order in which it is changed.
CHANGED = (
    f"{LIB_DIR}/{AGENT}.prev",
    f"{LIB_DIR}/{AGENT}",
    *(f"{UNIT_DIR}/{unit}" for unit in UNITS),
    *WANTS.values(),
    VERSION,
)


def install(host: HostRoot, staged: str) -> dict[str, Any]:
    """Move the zipapp named STAGED into place; returns the answer for the controller."""
    version = agent_version()
    answer: dict[str, Any] = {"schema": 1, "version": version, "result": "installed", "code": "ok"}
    try:
        check_places(host)
        durable.private_dir(host, VAR_DIR)
        with lock.held(host, f"recover: install of {version}", wait_s=LOCK_WAIT_S, brief=True):
            refuse_older(host, version)
            with undone_on_failure(host):
                put_in_place(host, staged)
                install_units(host)
                durable.write_file(host, VERSION, f"{version}\n".encode())
    except (AgentError, OSError) as error:
        with contextlib.suppress(OSError, AgentError):
            durable.remove_file(host, f"{LIB_DIR}/{staged}")
            remove_lib_if_empty(host)
        code = error.code if isinstance(error, RefusedError) else "step_failed"
        answer |= {"result": "refused", "code": code, "message": f"the agent was not installed: {error}"}
    return answer


def check_places(host: HostRoot) -> None:
    """RefusedError where something stands in the way of the agent's own files."""
    files = (path for path in CHANGED if path not in WANTS.values())
    obstacles.check(host, files=files, links=WANTS.values(), folders=(VAR_DIR,))


def refuse_older(host: HostRoot, version: str) -> None:
    """Refuse to replace an agent of a newer release: what it wrote, an older one may not understand."""
    found = (host.read(VERSION) or "").strip()
    there, ours = release_of(found), release_of(version)
    if there is not None and ours is not None and there > ours:
        sentence = f"this host has the newer agent {found}, and this one is {version}"
        raise RefusedError("older", sentence)


def release_of(version: str) -> tuple[int, ...] | None:
    """The numbers of `0.2.0+0123456789ab`; None for what is no version, of which nothing is known."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})(?:\+[0-9a-f]+)?", version)
    return tuple(int(number) for number in found.group(1).split(".")) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What was at a path before: a file's bytes and mode, a link's target, or nothing."""

    path: str
    content: bytes | None = None
    mode: int = 0
    target: str | None = None


def image_of(host: HostRoot, path: str) -> Image:
    """What is at PATH now."""
    with contextlib.suppress(OSError):
        return Image(path=path, target=os.readlink(host.path(path)))  # noqa: PTH115
    found = durable.read_regular(host, path, AGENT_BYTES_MAX)
    if found is None:
        return Image(path=path)
    return Image(path=path, content=found[0], mode=stat.S_IMODE(found[1].st_mode))


@contextlib.contextmanager
def undone_on_failure(host: HostRoot) -> Iterator[None]:
    """Whatever ends the block early, the host has the agent it had before, or none."""
    before = [image_of(host, path) for path in CHANGED]
    try:
        yield
    except BaseException:
        for image in reversed(before):
            with contextlib.suppress(OSError, AgentError):  # each for itself: the rest is still brought back
                bring_back(host, image)
        with contextlib.suppress(AgentError):
            reload(host)
        if host.is_live and any(image.path.endswith(IRQS) and image.content for image in before):
            with contextlib.suppress(AgentError):
                systemctl(host, "restart", "--no-block", IRQS)
        raise


def bring_back(host: HostRoot, image: Image) -> None:
    """One path as it was."""
    if image_of(host, image.path) == image:
        return
    if image.target is not None:
        durable.write_link(host, image.path, image.target)
    elif image.content is not None:
        durable.write_file(host, image.path, image.content, image.mode)
    else:
        durable.remove_file(host, image.path)
        parent = durable.split(image.path)[0]
        if parent.endswith(".wants"):
            remove_if_empty(host, parent)


def remove_lib_if_empty(host: HostRoot) -> None:
    """The agent's directory, once nothing is in it."""
    if host.exists(LIB_DIR) and not host.listdir(LIB_DIR):
        durable.remove_dir(host, LIB_DIR)


def put_in_place(host: HostRoot, staged: str) -> None:
    """Keep the present agent as `.prev`, then one rename."""
    with durable.open_dir(host, LIB_DIR) as directory:
        if is_another(host, staged):
            spare = f".{AGENT}.hft-prev"
            durable.unlink_if_there(directory, spare)
            os.link(AGENT, spare, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
            os.rename(spare, f"{AGENT}.prev", src_dir_fd=directory, dst_dir_fd=directory)
            durable.unlink_if_there(directory, spare)  # rename(2) between two names of one inode does nothing
        os.rename(staged, AGENT, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


def is_another(host: HostRoot, staged: str) -> bool:
    """Whether a different agent is installed: installing twice must not lose the previous one."""
    new, old = (durable.read_regular(host, f"{LIB_DIR}/{name}", AGENT_BYTES_MAX) for name in (staged, AGENT))
    return old is not None and new is not None and old[0] != new[0]


def install_units(host: HostRoot) -> None:
    """Write the units, enable those that start at boot, and restart the running ones."""
    changed = False
    durable.make_dirs(host, UNIT_DIR)
    for unit, text in UNITS.items():
        if host.read(f"{UNIT_DIR}/{unit}") != text:
            durable.write_file(host, f"{UNIT_DIR}/{unit}", text.encode())
            changed = True
    for unit, link in WANTS.items():
        if not os.path.lexists(host.path(link)):
            durable.make_dirs(host, durable.split(link)[0])
            durable.write_link(host, link, f"{UNIT_DIR}/{unit}")
            changed = True
    if changed:
        reload(host)
    if host.is_live:
        demand(host, "restart", "--no-block", IRQS)
