"""Transactions on a small host below a directory: what is done, refused, found done, and taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent import lock, parsing, state
from agent.errors import AgentError, RefusedError, StepFailedError
from agent.host import HostRoot
from agent.transaction import inverse, journal, recovery, step_file
from agent.verbs import apply as applying
from tests.support import kill_harness as small
from tests.support.transactions import OTHER, leave_open, raw, run, small_host


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    return small_host(tmp_path)


def test_the_second_run_of_the_same_wishes_changes_nothing(host: HostRoot) -> None:
    assert run(host, raw(host)).result == "applied"
    before = {path: path.stat().st_mtime_ns for path in Path(host.root).rglob("*") if path.is_file()}
    again = run(host, raw(host, OTHER))
    assert again.result == "no_change"
    assert {step.result for step in again.steps} == {"unchanged"}
    changed = {path for path, at in before.items() if path.name != "lock" and path.stat().st_mtime_ns != at}
    assert not changed


def test_another_machine_is_refused_untouched(host: HostRoot) -> None:
    with pytest.raises(RefusedError, match="not " + "f" * 32):
        run(host, raw(host) | {"machine_id": "f" * 32})
    assert not host.exists("/var/lib/hft/state.json")


def test_a_machine_that_changed_since_the_plan_is_refused_untouched(host: HostRoot) -> None:
    document = raw(host)
    Path(host.path("/sys/devices/system/cpu/online")).write_text("0-2\n")
    old = small.look(Path(host.root))
    with pytest.raises(RefusedError, match="plan again") as refused:
        run(host, document)
    assert refused.value.code == "stale"
    assert small.look(Path(host.root)) == old


@pytest.mark.parametrize(("index", "before"), [(0, "a" * 64), (0, "absent"), (3, "a" * 64), (6, "17")])
def test_a_step_that_finds_neither_before_nor_wanted_is_stale(
    host: HostRoot, index: int, before: str
) -> None:
    document = raw(host)
    document["steps"][index]["before"] = before
    with pytest.raises(RefusedError) as refused:
        run(host, document)
    assert refused.value.code == "stale"
    assert journal.transactions(host) == ()


def test_a_step_whose_before_is_what_the_host_shows_is_done(host: HostRoot) -> None:
    document = raw(host)
    document["steps"][0]["before"] = step_file.digest(small.OLD_BIG.encode())
    document["steps"][3]["before"] = "absent"
    document["steps"][6]["before"] = "1000"
    assert run(host, document).result == "applied"


def test_a_second_writer_is_refused_with_the_name_of_the_first(host: HostRoot) -> None:
    with lock.held(host, f"apply {OTHER}", wait_s=0), pytest.raises(RefusedError, match=OTHER) as refused:
        run(host, raw(host))
    assert applying.refusal("", refused.value).exit_code == 8


def test_a_symbolic_link_in_the_way_is_refused(
    host: HostRoot, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    Path(host.path("/etc/hft")).symlink_to(outside)
    with pytest.raises(RefusedError, match="/etc/hft is a symbolic link"):
        run(host, raw(host))
    assert list(outside.iterdir()) == []


def test_a_value_that_leads_out_of_the_kernel_is_refused(host: HostRoot) -> None:
    place = Path(host.path("/proc/sys/vm/stat_interval"))
    place.unlink()
    place.symlink_to("/etc/hostname")
    with pytest.raises(RefusedError, match="leads outside"):
        run(host, raw(host))


def test_a_step_that_fails_undoes_those_before_it(host: HostRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    document = raw(host)
    # A unit file that came to /etc after the look keeps the unit from being masked: the last step fails.
    monkeypatch.setattr("agent.transaction.unit_places.check", lambda *_: None)
    Path(host.path("/etc/systemd/system/irqbalance.service")).write_text("[Service]\n")
    old = small.look(Path(host.root))
    outcome = run(host, document)
    assert (outcome.result, outcome.code) == ("reverted", "step_failed")
    assert "irqbalance.service" in outcome.message
    assert small.look(Path(host.root)) == old
    assert outcome.steps[0].result == "reverted"


def test_a_mistake_of_the_agent_itself_is_undone_too(host: HostRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("agent.transaction.step_irqs.place", fail)
    old = small.look(Path(host.root))
    outcome = run(host, raw(host))
    assert (outcome.result, outcome.code) == ("reverted", "internal")
    assert small.look(Path(host.root)) == old


def test_being_asked_to_end_half_way_undoes_what_was_begun(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> None:
        raise StepFailedError("interrupted", "asked to end by SIGTERM")

    monkeypatch.setattr("agent.transaction.step_irqs.place", asked)
    old = small.look(Path(host.root))
    outcome = run(host, raw(host))
    assert (outcome.result, outcome.code) == ("reverted", "interrupted")
    assert small.look(Path(host.root)) == old


def test_an_interrupt_that_cannot_be_moved_is_named_and_does_not_stand_in_the_way(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.transaction import step_irqs, step_value

    real = step_value.write_value

    def eio(host: HostRoot, path: str, value: str) -> None:
        if path == "/proc/irq/9/smp_affinity_list":
            raise OSError(5, "Input/output error")
        real(host, path, value)

    monkeypatch.setattr(step_irqs, "write_value", eio)
    first = run(host, raw(host))
    assert first.result == "applied"
    assert first.steps[8].note == "cannot be moved: 9 (EIO)"
    again = run(host, raw(host, OTHER))
    assert again.result == "no_change"
    assert again.steps[8].note == "cannot be moved: 9 (EIO)"


def test_revert_brings_back_what_was_before_and_can_itself_be_taken_back(host: HostRoot) -> None:
    old = small.look(Path(host.root))
    run(host, raw(host))
    new = small.look(Path(host.root))
    back = inverse.revert(host, [], applying.run_locked)
    assert back.result == "applied", back
    made_by_us = {"/etc/hft", "/etc/hft/engine", "/etc/hft/engine/a"}  # the empty directories stay
    assert {path: what for path, what in small.look(Path(host.root)).items() if path not in made_by_us} == old
    assert state.read(host)["committed"] is None
    with pytest.raises(RefusedError, match="nothing to revert"):
        inverse.revert(host, [], applying.run_locked)
    assert run(host, raw(host, "20991121T101501-00000001")).result == "applied"
    assert small.look(Path(host.root)) == new


def test_a_value_that_two_steps_placed_is_taken_back_once(host: HostRoot) -> None:
    """Every real plan has both: where interrupts go, and where new ones start."""
    document = raw(host)
    default = {"kind": "value", "path": "/proc/irq/default_smp_affinity", "value": "3", "compare": "cpumask"}
    steps = document["steps"]
    document["steps"] = [*steps[:8], default | {"before": "f", "why": "new ones start there"}, *steps[8:]]
    old = small.look(Path(host.root))
    assert run(host, document).result == "applied"
    assert inverse.revert(host, [], applying.run_locked).result == "applied"
    left = {"/etc/hft", "/etc/hft/engine", "/etc/hft/engine/a"}
    assert {path: what for path, what in small.look(Path(host.root)).items() if path not in left} == old
    assert run(host, raw(host, "20991121T101501-00000001")).result == "applied"


def test_an_open_transaction_is_undone_before_the_next_one_begins(host: HostRoot) -> None:
    leave_open(host)
    outcome = run(host, raw(host, OTHER))
    assert outcome.result == "applied"
    assert small.TXN in outcome.message


def test_status_names_the_open_transaction_and_recover_closes_it(
    host: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    from agent.verbs import status

    leave_open(host)
    status.status(host, [])
    assert json.loads(capsys.readouterr().out)["open_transaction"] == {"txn": small.TXN, "phase": "step"}
    assert applying.recover(host, []) == 0
    assert json.loads(capsys.readouterr().out)["result"] == "reverted"
    status.status(host, [])
    shown = json.loads(capsys.readouterr().out)
    assert shown["open_transaction"] is None
    assert shown["last_recovery"]["txn"] == small.TXN


def test_after_a_reboot_live_values_are_left_to_the_boot(host: HostRoot) -> None:
    leave_open(host)
    Path(host.path("/proc/sys/kernel/random/boot_id")).write_text("another\n")
    Path(host.path("/proc/sys/vm/stat_interval")).write_text("7777\n")
    (undone,) = recovery.recover_all(host, "now")
    assert undone.result == "reverted"
    assert host.read("/proc/sys/vm/stat_interval") == "7777\n"
    assert host.read("/etc/sysctl.d/90-hft.conf") == small.OLD_BIG


def test_only_the_last_journals_are_kept(host: HostRoot) -> None:
    for number in range(journal.KEEP + 4):
        document = raw(host, f"20261121T1015{number:02}-00000001")
        found = host.read("/etc/tmpfiles.d/90-hft.conf") or ""
        step = document["steps"][1] | {"content": f"# {number}\n"}
        document["steps"] = [step | {"before": step_file.digest(found.encode())}]
        assert run(host, document | {"plan_hash": f"{number:064}"}).result == "applied"
    kept = journal.transactions(host)
    assert len(kept) == journal.KEEP
    assert kept[-1] == state.read(host)["committed"]["txn"]


BAD: list[tuple[str, Any]] = [
    ("schema", 2),
    ("txn", "../../x"),
    ("txn", 5),
    ("host", "a b"),
    ("machine_id", "short"),
    ("topology_digest", None),
    ("steps", {}),
    ("boot", []),
    ("surprise", 1),
    ("steps", [{"kind": "shell", "why": ""}]),
    ("steps", [{"kind": "irqs", "cpus": "", "why": ""}]),
    ("steps", [{"kind": "irqs", "cpus": "0-1"}]),
    ("steps", [{"kind": "irqs", "cpus": "0", "why": ""}, {"kind": "irqs", "cpus": "1", "why": ""}]),
    ("steps", [{"kind": "kthreads", "cpus": "0", "why": "", "threads": {}}]),
    ("steps", [{"kind": "priorities", "threads": "sh", "priority": 11, "why": ""}]),
    ("steps", [{"kind": "priorities", "threads": "ksoftirqd", "priority": 99, "why": ""}]),
    ("steps", [{"kind": "priorities", "threads": "irq", "priority": 60, "why": ""}]),
    ("steps", [{"kind": "priorities", "threads": "ktimers", "device": "eth0", "priority": 11, "why": ""}]),
    ("steps", [{"kind": "priorities", "threads": "ktimers", "priority": 11, "was": {}, "why": ""}]),
    ("steps", [{"kind": "value", "path": "/etc/passwd", "value": "1", "compare": "text", "why": ""}]),
    ("steps", [{"kind": "value", "path": "/proc/sys/../1/mem", "value": "1", "compare": "text", "why": ""}]),
    ("steps", [{"kind": "value", "path": "/proc/sys/a", "value": "1\n2", "compare": "text", "why": ""}]),
    ("steps", [{"kind": "value", "path": "/proc/sys/a", "value": "1", "compare": "magic", "why": ""}]),
    ("steps", [{"kind": "file", "path": "/etc/shadow", "content": "", "mode": 420, "why": ""}]),
    ("steps", [{"kind": "file", "path": "/etc/hft/../shadow", "content": "", "mode": 420, "why": ""}]),
    (
        "steps",
        [{"kind": "file", "path": "/usr/local/lib/hft/agent.pyz", "content": "", "mode": 420, "why": ""}],
    ),
    ("steps", [{"kind": "file", "path": "/var/lib/hft/state.json", "content": "", "mode": 420, "why": ""}]),
    ("steps", [{"kind": "file", "path": "/etc/hft/a", "content": "\ud800", "mode": 420, "why": ""}]),
    ("steps", [{"kind": "file", "path": "/etc/hft/a", "content": "", "mode": True, "why": ""}]),
    ("steps", [{"kind": "file", "path": "/etc/hft/a", "content": "", "mode": 0o4755, "why": ""}]),
    ("steps", [{"kind": "file", "path": "/etc/hft/a\nb", "content": "", "mode": 420, "why": ""}]),
    ("steps", [{"kind": "unit", "unit": "a;b.service", "enabled": None, "active": None, "why": ""}]),
    ("steps", [{"kind": "unit", "unit": "a.service", "enabled": "on", "active": None, "why": ""}]),
    ("steps", [{"kind": "unit", "unit": "a.service", "enabled": None, "active": 1, "why": ""}]),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_document_that_cannot_be_meant_is_refused_with_a_sentence(key: str, value: object) -> None:
    document = json.loads(small.document("a" * 64)) | {key: value}
    with pytest.raises(RefusedError) as refused:
        parsing.parse(json.dumps(document).encode())
    assert refused.value.code == "bad_document"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b"0" * (parsing.DOCUMENT_BYTES_MAX + 1)]
)
def test_what_is_no_document_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(RefusedError):
        parsing.parse(data)


def test_a_boot_part_that_grub_or_the_kernel_would_split_is_refused() -> None:
    boot = {
        "args": ["nohz_full=2-3"],
        "kernel_release": None,
        "panic_s": 10,
        "watchdog_s": 900,
        "trial_s": 600,
    }
    boot |= {"confirmations": 2, "confirm_gap_s": 10, "effect": None}
    whole = json.loads(small.document("a" * 64))
    assert parsing.parse(json.dumps(whole | {"boot": boot}).encode()).boot is not None
    for word in ("a b", "$(reboot)", "a;b", "", 'x"y', "a\nb"):
        with pytest.raises(AgentError):
            parsing.parse(json.dumps(whole | {"boot": boot | {"args": [word]}}).encode())


def test_the_journal_reads_back_what_it_wrote(host: HostRoot) -> None:
    document = parsing.parse(json.dumps(raw(host)).encode())
    assert parsing.parse(parsing.encode(document), inverse=True) == document
