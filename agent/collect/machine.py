"""Memory, links, bonds, boots, and how far the host is from its committed plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.collect.cpus import needed, whole
from agent.collect.sample import Sample, UnreadError, sample
from agent.host import HostRoot
from agent.paths import PLAN_FILE
from agent.record import OPEN_TRIAL, Record, status_of
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.sysctl_table import sysctl_path
from tuning.topology.reader import NODE_DIR

NET_DIR = "/sys/class/net"
ISOLATED_ROLES = ("poll", "engine", "spare")
IFF_UP = 1
PLAN_DIGITS = 12  # of the hash, as people read it
_POOL = re.compile(rf"{NODE_DIR}/node(\d+)/hugepages/hugepages-(\d+)kB/nr_hugepages\Z")


def committed_plan(host: HostRoot) -> Mapping[str, Any]:
    """The committed plan's document; empty where there is none.

    Raises: UnreadError for one that cannot be read.
    """
    text = host.read(PLAN_FILE)
    if text is None:
        return {}
    try:
        document = json.loads(text)
        assert isinstance(document["settings"], list)
        assert isinstance(document["cpus"], list)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        raise UnreadError(f"{PLAN_FILE} is no plan") from error
    return dict(document)


def isolated_of(host: HostRoot, plan: Mapping[str, Any]) -> CpuSet:
    """The CPUs that the plan keeps free; without a plan those that the kernel isolates.

    Raises: UnreadError.
    """
    try:
        if plan:
            return CpuSet.of(int(one["cpu"]) for one in plan["cpus"] if one["role"] in ISOLATED_ROLES)
        return CpuSet.parse_list((host.read("/sys/devices/system/cpu/isolated") or "").strip())
    except (KeyError, TypeError, ValueError, CpuListError) as error:
        raise UnreadError(f"which CPUs are isolated is not known: {error}") from error


def size_name(kib: int) -> str:
    """A page size as people name it: 2M, 1G."""
    for unit, size in (("G", 1 << 20), ("M", 1 << 10)):
        if kib % size == 0:
            return f"{kib // size}{unit}"
    return f"{kib}K"


def hugepages(host: HostRoot, plan: Mapping[str, Any]) -> Iterator[Sample]:
    """Pools by NUMA node and page size, and what the plan wants in them.

    Raises: UnreadError.
    """
    planned = {}
    for one in plan.get("settings", ()):
        match = _POOL.match(str(one.get("path", "")))
        if match:
            planned[match[1], int(match[2])] = whole(str(one.get("value")), PLAN_FILE)
    for node in host.listdir(NODE_DIR):
        for pool in host.listdir(f"{NODE_DIR}/{node}/hugepages"):
            match = re.fullmatch(r"hugepages-(\d{1,10})kB", pool)
            if not match or not re.fullmatch(r"node\d{1,5}", node):
                continue
            folder, number = f"{NODE_DIR}/{node}/hugepages/{pool}", node.removeprefix("node")
            labels = {"node": number, "size": size_name(int(match[1]))}
            there = whole(needed(host, f"{folder}/nr_hugepages"), folder)
            yield sample("hft_hugepages", there, **labels)
            free = whole(needed(host, f"{folder}/free_hugepages"), folder)
            yield sample("hft_hugepages_free", free, **labels)
            if (number, int(match[1])) in planned:
                yield sample("hft_hugepages_planned", planned[number, int(match[1])], **labels)


def links(host: HostRoot) -> Iterator[Sample]:
    """Carrier of every port with a device behind it that is administratively up; bonds and their ports.

    Raises: UnreadError.
    """
    for name in host.listdir(NET_DIR):
        folder = f"{NET_DIR}/{name}"
        if host.exists(f"{folder}/device") and _is_up(host, folder):
            carrier = needed(host, f"{folder}/carrier").strip()
            yield sample("hft_link_up", whole(carrier, folder), device=name)
        ports = host.read(f"{folder}/bonding/slaves")
        if ports is not None:
            states = [host.read(f"{NET_DIR}/{one}/bonding_slave/mii_status") for one in ports.split()]
            yield sample("hft_bond_ports", len(states), bond=name)
            active = sum((state or "").strip() == "up" for state in states)
            yield sample("hft_bond_active_ports", active, bond=name)


def _is_up(host: HostRoot, folder: str) -> bool:
    flags = needed(host, f"{folder}/flags").strip()
    try:
        return bool(int(flags, 16) & IFF_UP)
    except ValueError as error:
        raise UnreadError(f"{folder}/flags is {flags[:20]!r}") from error


def boots(read: Callable[[], Record]) -> Iterator[Sample]:
    """Who came up: a trial that is open, one that fell back and by whom, a change half way, the plan.

    Raises: UnreadError.
    """
    try:
        status = status_of(read())
        state = (status["trial"] or {}).get("state")
        committed, fell_back = status["committed"], status["last_rollback"]
        plan = str(committed["plan_hash"])[:PLAN_DIGITS] if committed else ""
        brought = (str(fell_back["txn"]), str(fell_back["brought_back_by"])) if fell_back else None
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise UnreadError(f"the agent's record cannot be read: {error}") from error
    yield sample("hft_trial_open", state in OPEN_TRIAL)
    yield sample("hft_boot_fallback", state == "rolled_back")
    yield sample("hft_transaction_open", status["open_transaction"] is not None)
    if plan:
        yield sample("hft_plan_info", 1, plan=plan)
    if brought:
        yield sample("hft_last_rollback_info", 1, transaction=brought[0], brought_back_by=brought[1])


def drift(host: HostRoot, plan: Mapping[str, Any]) -> Iterator[Sample]:
    """How many live values differ from the committed plan; nothing without one.

    Raises: UnreadError.
    """
    if not plan:
        return
    different = 0
    for one in plan["settings"]:
        path = sysctl_path(str(one["key"])) if one["kind"] == "sysctl" else one.get("path")
        seen = host.read(str(path)) if path else None
        if seen is not None and not _is_same(seen, str(one["value"]), str(one.get("compare", "text"))):
            different += 1
    yield sample("hft_plan_drift_items", different)


def _is_same(seen: str, wanted: str, compare: str) -> bool:
    """Whether a live value is the wanted one, as its kind is compared (tuning.plan.setting.Compare)."""
    words = seen.split()
    if compare == "choice":
        return f"[{wanted}]" in words or words == [wanted]
    if compare == "cpumask":
        masks = (value.replace(",", "").strip().lstrip("0").lower() for value in (seen, wanted))
        return len(set(masks)) == 1
    if compare == "cpulist":
        try:
            return CpuSet.parse_list(seen.strip()) == CpuSet.parse_list(wanted)
        except CpuListError:
            return False
    return words == wanted.split()
