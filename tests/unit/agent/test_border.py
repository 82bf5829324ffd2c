"""The border and the renderers are one set: what a plan or a deploy sends passes, nothing else is listed."""

from __future__ import annotations

import json

import pytest

from agent import border, parsing
from agent.errors import RefusedError
from deploys.paths import OWNED
from deploys.slot.files import slot_files
from deploys.tune.changes import is_owned
from tests.support.border_steps import (
    SIGNED,
    Step,
    steps_of_clocks,
    steps_of_deploys,
    steps_of_plans,
)


def document(step: Step) -> bytes:
    head = {"schema": 1, "txn": "20261121T101500-3f2a9c1b", "host": "e1", "machine_id": "0" * 32}
    whole = head | {"plan_hash": "a" * 64, "topology_digest": "b" * 64, "boot": None, "steps": [step]}
    return json.dumps(whole).encode()


def parsed(step: Step) -> None:
    parsing.parse(document(step))


def rules_of(step: Step) -> set[object]:
    kind = step["kind"]
    if kind == "file":
        return set(border.rules_of_file(step["path"], is_removal=step.get("content", "") is None))
    if kind == "value":
        return set(border.rules_of_value(step["path"]))
    return (
        set(border.rules_of_unit(step["unit"], step["enabled"], step["active"])) if kind == "unit" else set()
    )


def test_the_list_and_the_renderers_are_the_same_set() -> None:
    used: set[object] = set()
    for step in (*steps_of_plans(), *steps_of_deploys(), *steps_of_clocks()):
        parsed(step)
        used |= rules_of(step)
    verbs = {(rule.unit, verb) for rule in border.UNITS for verb in rule.verbs}
    listed: set[object] = {*border.FILES, *border.STALE_FILES, *border.VALUES, *verbs}
    assert used == listed, f"listed and rendered by nothing: {listed - used}"


def test_every_file_that_a_deploy_owns_is_inside_of_the_border() -> None:
    rendered = slot_files("a", unit="", config=b"", limits=SIGNED, ticket=b"")
    assert all(any(border.rules_of_file(file.path, is_removal=True)) for file in rendered)
    written = [pattern for pattern in OWNED if "?" not in pattern and "*" not in pattern]
    assert all(any(border.rules_of_file(path, is_removal=False)) for path in written)
    assert is_owned("/etc/systemd/system/gone.slice.d/90-hft.conf")


FILES = (
    *("/etc/systemd/system/any.service", "/etc/systemd/system/hft-irqs.service", "/etc/fstab"),
    *("/etc/udev/rules.d/any", "/etc/hft/ticket.key", "/etc/hft/engine/a/other.json", "/etc/sysctl.conf"),
    *("/etc/hft/engine/A/config.json", "/etc/hft/engine/a/b/config.json", "/etc/sysctl.d/90-hft.conf2"),
    *("/etc/sysctl.d/91-hft.conf", "/etc/systemd/system/ssh.service.d/90-hft.conf", "/etc/default/grub"),
    *("/etc/hft/engine/../ticket.key", "/usr/local/lib/hft/agent.pyz", "/usr/local/lib/hft/agent.version"),
    *("/usr/local/lib/hft/other.py", "/boot/grub/hft.cfg", "/etc/modprobe.d/x.conf", "/etc/passwd"),
    *("/etc/systemd/system/multi-user.target.wants/x.service", "/var/lib/hft/state.json"),
)
VALUES = (
    *(
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/sys/power/state",
        "/proc/sysrq-trigger",
    ),
    *("/sys/class/block/sda/device/delete", "/sys/bus/pci/drivers/x/unbind", "/proc/irq/9/smp_affinity"),
    *("/sys/devices/system/cpu/cpu1/online", "/sys/devices/system/cpu/cpu01/cpufreq/scaling_governor"),
    *(
        "/sys/fs/cgroup/cpuset.cpus",
        "/sys/fs/cgroup/system.slice/cgroup.procs",
        "/proc/sys/vm/../kernel/modprobe",
    ),
    *("/proc/sys/vm/swappiness/", "/proc/sys/vm//swappiness", "/proc/sys/net/core/bpf_jit_harden"),
)
UNITS: tuple[tuple[str, str | None, bool | None], ...] = (
    *(("poweroff.target", None, True), ("ssh.service", None, False), ("ssh.service", "masked", False)),
    *(("..service", None, True), ("-x.service", None, True), ("tmp.mount", None, True)),
    *(("irqbalance.service", "enabled", True), ("irqbalance.service", None, True)),
    *(("hft-engine-a.service", "masked", False), ("hft-engine-a.service", None, True)),
    *(("hft-ticket.service", "disabled", False), ("hft-standin@3.service", "masked", False)),
    *(("hft-irqs.service", "disabled", False), ("hft-recover.service", "masked", False)),
    *(("hft-standin@.service", "enabled", True), ("hft-standin@../x.service", "enabled", True)),
)


FILE: Step = {"kind": "file", "mode": 0o644, "before": "absent", "why": "w"}


@pytest.mark.parametrize("content", ["x", None])
@pytest.mark.parametrize("path", FILES)
def test_any_other_file_is_refused_by_name(path: str, content: str | None) -> None:
    if content is None and path.endswith(".d/90-hft.conf"):
        parsed(FILE | {"path": path, "content": None})
        return  # a drop-in of ours may go, whatever it was for
    with pytest.raises(RefusedError, match=path.replace("+", ".")):
        parsed(
            {"kind": "file", "path": path, "content": content, "mode": 420, "before": "absent", "why": "w"}
        )


@pytest.mark.parametrize("path", VALUES)
def test_any_other_value_is_refused_by_name(path: str) -> None:
    with pytest.raises(RefusedError, match=path):
        parsed(
            {"kind": "value", "path": path, "value": "1", "compare": "text", "before": "absent", "why": "w"}
        )


@pytest.mark.parametrize(("unit", "enabled", "active"), UNITS)
def test_any_other_unit_or_verb_is_refused_by_name(
    unit: str, enabled: str | None, active: bool | None
) -> None:
    with pytest.raises(RefusedError, match=unit):
        parsed({"kind": "unit", "unit": unit, "enabled": enabled, "active": active, "why": "w"})


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o777, 0o664])
def test_a_file_that_others_may_write_is_refused(mode: int) -> None:
    step = {"kind": "file", "path": "/etc/hft/ticket.json", "content": "{}", "before": "absent", "why": "w"}
    parsed({**step, "mode": 0o644})
    with pytest.raises(RefusedError, match="lets others write"):
        parsed({**step, "mode": mode})


def test_what_an_earlier_version_wrote_can_still_be_undone() -> None:
    """A host's own journal is held to the roots alone: an upgrade must not lock it out of its undo."""
    step = {"kind": "file", "path": "/etc/sysctl.d/99-old.conf", "content": None, "mode": 420, "why": "w"}
    whole = {"schema": 1, "txn": "20261121T101500-3f2a9c1b", "host": "e1", "machine_id": "0" * 32}
    whole |= {"plan_hash": None, "topology_digest": None, "boot": None, "steps": [step], "reverts": None}
    assert parsing.parse(json.dumps(whole).encode(), inverse=True).steps


@pytest.mark.parametrize(
    "path",
    [
        "/etc/grub.d/09_hft",
        "/boot/grub/hft.cfg",
        "/etc/default/grub.d/90-hft.cfg",
        "/boot/grub/grub.cfg",
        "/etc/fstab",
    ],
)
def test_no_journal_writes_what_only_the_boot_part_writes(path: str) -> None:
    """An inverse is held to the roots of what hft ever sent; GRUB's files are changed by agent/boot alone."""
    step = {"kind": "file", "path": path, "content": "x", "mode": 420, "before": None, "why": "t"}
    with pytest.raises(RefusedError, match="not a path the agent may write"):
        parsing.parse(document(step), inverse=True)
