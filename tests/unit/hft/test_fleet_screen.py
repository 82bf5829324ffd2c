"""120 made hosts, three dark, one impostor: one screen, one sum, and a saved plan applied as it is."""

from __future__ import annotations

import dataclasses
import json
import math
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploys.rollout.outcome import HostOutcome, Told
from deploys.tune import host_changes
from deploys.tune.host_changes import HostChanges
from hft import saved_plans
from hft.errors import Exit
from hft.past import runs_of
from hft.run_log import read
from hft.verbs import apply as verb
from inventory.model import Host
from tests.cases.machines import CASES, machine
from tests.support.fleet import Fleet, made_fleet, planned, state_of
from tests.support.hft_here import Said, hft_here
from transport.errors import HostError, UnreachableError
from tuning.snapshot.files import Snapshot

DARK, IMPOSTOR = (7, 50, 99), 13
SMALL = ("lab-rt", "lab-generic")
WIDTH, LINES = 120, 60


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return made_fleet(120, dark=DARK, impostors=(IMPOSTOR,), kinds=SMALL)


@pytest.fixture
def run(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Run `hft` about the fleet into a pipe; hosts that show the same are planned once."""
    monkeypatch.delenv("COLUMNS", raising=False)  # a worker of xdist has it
    made: dict[tuple[int, str | None, bool], HostChanges] = {}
    real = host_changes.make_work

    def once(
        host: Host, observed: Any, *args: Any, plan: Any = None, drained: bool = False, **more: Any
    ) -> Any:
        host_changes.check_identity(host, observed)
        files = {key: text for key, text in observed.snapshot.files.items() if key != "/etc/machine-id"}
        key = (hash(tuple(sorted(files.items()))), plan and plan.plan_hash, drained)
        if key not in made:
            made[key] = real(host, observed, *args, plan=plan, drained=drained, **more)
        return dataclasses.replace(made[key], host=host, observed=observed)

    monkeypatch.setattr(host_changes, "make_work", once)
    monkeypatch.setattr(verb, "look", fleet.look)
    monkeypatch.setattr("deploys.tune.send.would_refuse", lambda changes, _: refused_by(changes))
    monkeypatch.setattr("transport.ssh.Ssh.of", lambda host: host)
    monkeypatch.setattr("hft.sites.load_site", lambda _: fleet.site)
    digests: dict[int, str] = {}
    now = verb.topology_digest_now

    def digest(site: Any, changes: HostChanges) -> str:
        return digests.setdefault(id(changes.observed.snapshot.links), now(site, changes))

    monkeypatch.setattr(verb, "topology_digest_now", digest)
    return lambda *words: hft_here(capsys, *words, "--inventory", "made.json")


REFUSED: dict[str, tuple[str, ...] | HostError] = {}


def refused_by(changes: HostChanges) -> tuple[str, ...]:
    """What a host answers when it is asked what it would refuse."""
    answer = REFUSED.get(changes.host.name, ())
    if isinstance(answer, HostError):
        raise answer
    return answer


def test_a_dry_run_names_what_the_hosts_themselves_would_refuse(
    run: Callable[..., Said], fleet: Fleet
) -> None:
    names = [host.name for host in fleet.site.hosts]
    pending = json.loads(run("apply", "--dry-run", "--json").out)
    first, second = [one["host"] for one in pending["hosts"] if one["pending"]][:2]
    REFUSED[first] = ("/etc/sysctl.d/90-hft.conf is a pipe", "the menu waits for a key")
    REFUSED[second] = UnreachableError(second, "gone")
    try:
        said = run("apply", "--dry-run", "--json", "--limit", f"{first},{second}")
        shown = run("apply", "--dry-run", "--limit", f"{first},{second}")
    finally:
        REFUSED.clear()
    document = json.loads(said.out)
    assert said.code == 2
    assert [one["host"] for one in document["in_the_way"]] == [first, first, second]
    assert "is a pipe" in document["in_the_way"][0]["error"]
    assert [one["host"] for one in document["hosts"]] == [name for name in names if name in (first, second)]
    assert shown.out.count("in the way:") == 3
    assert "2 hosts:" in shown.out
    assert "2 in the way" in shown.out


def rows(text: str) -> int:
    """Rows of a terminal that TEXT takes."""
    return sum(max(1, math.ceil(len(line) / WIDTH)) for line in text.splitlines())


def carried_out(monkeypatch: pytest.MonkeyPatch, *, until: int = 10_000) -> list[str]:
    """Stand in for the rollout: every host is changed as it was decided, and Ctrl-C comes after UNTIL."""
    done: list[str] = []

    def rolled_out(changing: Sequence[HostChanges], _steps: Any, _lock: Any, told: Told, _guard: Any) -> None:
        for one in changing:
            if len(done) == until:
                raise KeyboardInterrupt
            done.append(one.host.name)
            told([HostOutcome(host=one.host.name, result="applied", seen="done", txn="t")])

    monkeypatch.setattr(verb, "rolled_out", rolled_out)
    return done


def test_a_dry_run_of_120_hosts_fits_one_screen(run: Callable[..., Said]) -> None:
    said = run("apply", "--dry-run")
    assert said.code == Exit.BAD_INPUT, "an impostor is worse than a dark host"
    assert rows(said.out) <= LINES, said.out
    assert said.out.splitlines()[-1].startswith(
        "120 hosts: 116 with changes, 0 as planned, 3 skipped, 1 in the way; "
    )
    for number in DARK:
        assert said.out.count(f"engine-{number:03}: skipped") == 1
    assert said.out.count("in the way: engine-013: machine-id ffffffff") == 1
    assert "77 hosts, engine-[001-002,004-005," in said.out


def test_on_a_terminal_what_does_not_fit_goes_on_below_itself(
    run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    assert rows(run("apply", "--dry-run").out) <= LINES
    monkeypatch.setenv("COLUMNS", "80")
    wide = [line for line in run("apply", "--dry-run").out.splitlines() if len(line) > 80]
    assert not [line for line in wide if line.startswith("   ")], "names and commands alone stay whole"
    whole = run("apply", "--dry-run", "--limit", "engine-001").out.splitlines()
    assert {len(line) > 80 for line in whole if line.startswith(" " * 13)} == {False}


def test_one_number_for_pending_everywhere(run: Callable[..., Said]) -> None:
    document = json.loads(run("apply", "--dry-run", "--json").out)
    counts = {len(host["pending"]) for host in document["hosts"]}
    shown = run("plan", "--limit", "engine-001,engine-003").out
    assert len(counts) == 2
    assert {f"{count} pending" in shown for count in counts} == {True}
    assert f"{sum(counts)} pending in all" in shown
    assert [one["host"] for one in document["in_the_way"]] == ["engine-013"]
    assert [one["host"] for one in document["skipped"]] == [f"engine-{n:03}" for n in DARK]


def test_like_settings_of_many_cpus_are_one_line(run: Callable[..., Said], fleet: Fleet) -> None:
    big = machine(CASES["eight-core-caches"])
    host = fleet.site.hosts[0]
    seen = fleet.seen[host.name]
    fleet.seen[host.name] = state_of(host, big)
    said = run("apply", "--dry-run", "--limit", host.name)
    fleet.seen[host.name] = seen
    assert said.out.count("power.governor") == 1
    assert "power.governor.cpu[33-38]: powersave -> performance" in said.out


def test_a_dark_host_is_left_out_and_an_impostor_stops_the_change(
    run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = carried_out(monkeypatch)
    stopped = run("apply", "--yes")
    assert (stopped.code, done) == (Exit.BAD_INPUT, [])
    assert "no host was changed; without them: hft apply --limit '!engine-013' --inventory" in stopped.err
    said = run("apply", "--yes", "--limit", "!engine-013")
    assert (said.code, len(done)) == (Exit.UNREACHABLE, 116)
    assert "119 hosts: 3 unreachable, 116 applied; again with: hft show " in said.out
    last = runs_of(read("fleet").lines)[-1]
    assert Counter(end["result"] for end in last.ends.values()) == {"applied": 116, "unreachable": 3}


def test_all_may_be_required(run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    done = carried_out(monkeypatch)
    assert run("apply", "--yes", "--require-all", "--limit", "!engine-013").code == Exit.UNREACHABLE
    assert done == []


def test_just_what_was_saved_is_applied_or_refused_host_by_host(
    run: Callable[..., Said], fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "today.plans"
    saved = run("plan", "--limit", "engine-[001-020],!engine-013,!engine-007", "-o", path)
    assert (saved.code, f"hft apply {path}" in saved.err) == (Exit.OK, True), saved
    done = carried_out(monkeypatch)
    changed, applied, other = (fleet.site.hosts[number] for number in (0, 1, 3))
    before = {host.name: fleet.seen[host.name] for host in (changed, applied, other)}
    shown = machine(CASES[SMALL[0]])
    touched = Snapshot({**shown.files, "/proc/sys/vm/swappiness": "33\n"}, shown.links)
    fleet.seen[changed.name] = state_of(changed, touched)
    fleet.seen[applied.name] = state_of(applied, planned(shown))
    fleet.seen[other.name] = state_of(other, shown, machine_id="e" * 32)
    try:
        said = run("apply", path, "--yes")
    finally:
        fleet.seen.update(before)
    assert said.code == Exit.BAD_INPUT
    assert f"{changed.name}: refused: vm.swappiness: not as when its plan was saved" in said.out
    assert f"{other.name}: refused: machine-id eeeeeeee" in said.out
    assert changed.name not in done
    assert other.name not in done
    assert "engine-003" in done
    assert set(done) <= {f"engine-{number:03}" for number in range(1, 21)}


def test_ctrl_c_in_the_middle_leaves_the_record_right_and_the_file_goes_on(
    run: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "today.plans"
    run("plan", "--limit", "engine-[001-006]", "-o", path)
    done = carried_out(monkeypatch, until=2)
    assert run("apply", path, "--yes").code == Exit.INTERRUPTED
    last = runs_of(read("fleet").lines)[-1]
    assert (last.outcome, sorted(last.ends), len(last.hosts)) == ("interrupted", sorted(done), 6)
    assert run("apply", path, "--yes").code == Exit.INTERRUPTED, "until is reached at once"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace("engine-001", "engine-002", 1), "was edited"),
        (lambda text: "{}", "no file of saved plans"),
        (lambda text: text[:100], "not JSON"),
        (lambda text: "", "not JSON"),
    ],
)
def test_a_file_that_is_none_is_refused(
    edit: Callable[[str], str], said: str, run: Callable[..., Said], tmp_path: Path
) -> None:
    path = tmp_path / "today.plans"
    run("plan", "--host", "engine-001", "-o", path)
    path.write_text(edit(path.read_text()))
    found = run("apply", path, "--yes")
    assert (found.code, said in found.err) == (Exit.BAD_INPUT, True), found


def test_a_file_of_another_site_or_with_another_plan_is_refused(
    run: Callable[..., Said], fleet: Fleet, tmp_path: Path
) -> None:
    path = tmp_path / "today.plans"
    run("plan", "--host", "engine-001", "-o", path)
    assert "leave out --profile" in run("apply", path, "--profile", "engine").err
    assert "holds no plan of a host that is selected" in run("apply", path, "--limit", "engine-002").err
    document = json.loads(path.read_text())
    body = {key: value for key, value in document.items() if key != "digest"} | {"site": "other"}
    path.write_text(json.dumps(body | {"digest": saved_plans._digest(body)}))
    assert "was saved of site other, this is fleet" in run("apply", path).err
    assert "cannot be read" in run("apply", tmp_path).err


@pytest.mark.long
def test_a_thousand_hosts_are_one_screen(run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    many = made_fleet(1000, dark=DARK, impostors=(IMPOSTOR,), kinds=SMALL)
    monkeypatch.setattr(verb, "look", many.look)
    monkeypatch.setattr("hft.sites.load_site", lambda _: many.site)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    tracemalloc.start()
    try:
        said = run("apply", "--dry-run")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows(said.out) <= LINES, said.out
    assert "1000 hosts: 996 with changes, 0 as planned, 3 skipped, 1 in the way; " in said.out
    assert most < 256 << 20, f"{most} bytes"
