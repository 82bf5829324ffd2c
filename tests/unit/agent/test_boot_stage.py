"""Staging, arming, promoting, taking back, on a tree that looks like a host: idempotent, refused in time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import applying, boot, boot_finish, grub, grubenv, health, journal, state
from agent.boot_preflight import current_menu
from agent.boot_state import Phase
from agent.document import Document, FileStep
from agent.errors import RefusedError
from agent.host import Host
from agent.record import status_of
from agent.status import record_of
from tests.unit.agent.boot_tree import BASE, RELEASE, TXN, WANTED, boot_with, lay_out, phase, put, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


@pytest.fixture
def host(root: Path) -> Host:
    return Host(root=str(root))


def test_staging_adopts_and_writes_the_candidate_and_nothing_points_at_it(host: Host) -> None:
    note = boot.stage(host, TXN, WANTED)
    menu = current_menu(host)
    assert menu is not None
    assert menu.good == grub.Entry(txn="adopted", release=RELEASE, args=tuple(BASE.split()))
    assert menu.candidate is not None
    assert menu.candidate.args[-3:] == (*WANTED.args, "panic=10")
    assert grubenv.load(host) == {"saved_entry": "hft-good"}
    assert "softdog" in note
    assert phase(host) == "staged"


def test_staging_twice_is_staging_once_and_taking_back_leaves_an_adopted_host(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    once = tree(root)
    boot.stage(host, TXN, WANTED)
    assert tree(root) == once
    boot.unstage(host, TXN)
    boot.unstage(host, TXN)
    adopted = tree(root)
    assert phase(host) is None
    assert "boot/hft-watchdog.img" not in adopted
    boot.stage(host, TXN, WANTED)
    boot.unstage(host, TXN)
    assert tree(root) == adopted


def test_taking_back_what_was_never_staged_changes_nothing(host: Host, root: Path) -> None:
    before = tree(root)
    boot.unstage(host, TXN)
    assert tree(root) == before


def test_arming_sets_the_one_shot_and_forgets_what_an_earlier_trial_left(host: Host) -> None:
    boot.stage(host, TXN, WANTED)
    grubenv.update(host, hft_tried="old", hft_failed="kernel")
    boot.arm(host, TXN, drained=False)
    boot.arm(host, TXN, drained=False)
    assert grubenv.load(host) == {"saved_entry": "hft-good", "next_entry": "hft-candidate"}
    assert phase(host) == "armed"
    assert boot.trial_open(host, TXN)


def spoil_kernel(host: Host, root: Path) -> None:
    put(root, f"/boot/vmlinuz-{RELEASE}", "another kernel")


def lose_initrd(host: Host, root: Path) -> None:
    (root / f"boot/initrd.img-{RELEASE}").unlink()


def start_engine(host: Host, root: Path) -> None:
    put(root, "/sys/fs/cgroup/hft.slice/hft-engine.slice/cgroup.events", "populated 1\n")


def lose_menu(host: Host, root: Path) -> None:
    (root / "boot/grub/hft.cfg").unlink()


def come_up(host: Host, root: Path) -> None:
    trial = boot.open_trial(host)
    assert trial is not None
    boot.save(host, trial.moved(Phase.ARMED, "").moved(Phase.BOOTED, ""))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_kernel, "changed since"),
        (lose_initrd, "cannot be read"),
        (start_engine, "--drain"),
        (lose_menu, "no candidate"),
        (come_up, "tried once only"),
    ],
)
def test_arming_looks_once_more_and_refuses(
    host: Host, root: Path, spoil: Callable[[Host, Path], None], sentence: str
) -> None:
    boot.stage(host, TXN, WANTED)
    spoil(host, root)
    with pytest.raises(RefusedError, match=sentence):
        boot.arm(host, TXN, drained=False)
    assert "next_entry" not in grubenv.load(host)


def test_a_drained_host_may_be_armed_and_a_second_trial_may_not_be_staged(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    start_engine(host, root)
    with pytest.raises(RefusedError, match="finish or revert"):
        boot.stage(host, "20261121T101500-00000000", WANTED)
    boot.arm(host, TXN, drained=True)


def test_the_reboot_verb_answers_with_the_boot_id_or_the_refusal(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boot.reboot(host, [TXN]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "preflight"
    boot.stage(host, TXN, WANTED)
    assert boot.reboot(host, [TXN]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["result"], answer["boot_id"]) == ("armed", "first")


def test_a_candidate_that_never_came_up_is_taken_back_with_its_reason(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN, hft_failed="kernel")  # what GRUB does
    boot_with(root, f"{BASE} hft.good=adopted", "second")
    assert health.health(host, ["--early"]) == 0
    kept = state.read(host)
    assert kept["last_rollback"]["brought_back_by"] == "grub"
    assert kept["trial"]["state"] == "rolled_back"
    assert kept["trial"]["closed"]
    menu = current_menu(host)
    assert menu is not None
    assert menu.candidate is None
    assert boot.open_trial(host) is None
    before = tree(root)
    health.health(host, [])
    assert tree(root) == before


def commit(host: Host, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    boot_with(root, f"{BASE} {' '.join(WANTED.args)} panic=10 hft.txn={TXN} hft.watchdog=900", "second")
    for name in ("isolated", "nohz_full"):
        put(root, f"/sys/devices/system/cpu/{name}", "2-3\n")
    (root / "var/lib/hft").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(health, "wait_for_confirmations", lambda _host, _trial: None)
    health.health(host, [])


def test_a_healthy_and_confirmed_candidate_becomes_the_good_entry(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(host, root, monkeypatch)
    menu = current_menu(host)
    assert menu is not None
    assert (menu.good.txn, menu.candidate) == (TXN, None)
    assert menu.previous is not None
    assert menu.previous.txn == "adopted"
    assert phase(host) == "committed"
    assert status_of(record_of(host))["entry"] == "good"
    with pytest.raises(RefusedError, match="inverse is a trial boot"):
        boot.unstage(host, TXN)


def test_a_candidate_that_is_not_what_was_staged_gives_up_and_says_why(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "/sys/devices/system/cpu/isolated", "2\n")
    real = put

    def isolated_only_two(where: Path, path: str, text: str | bytes) -> None:
        real(where, path, "2\n" if path.endswith("/isolated") else text)

    monkeypatch.setitem(globals(), "put", isolated_only_two)
    commit(host, root, monkeypatch)
    reason = json.loads((root / f"var/lib/hft/rollback/{TXN}/reason.json").read_text())["reason"]
    assert "isolcpus asks for 2-3" in reason
    boot_with(root, f"{BASE} hft.good=adopted", "third")
    health.health(host, [])
    assert state.read(host)["last_rollback"] | {"at": "", "evidence": ""} == {
        "txn": TXN,
        "brought_back_by": "health",
        "reason": reason,
        "at": "",
        "evidence": "",
    }


def test_a_promotion_that_grub_never_saw_is_taken_out_again(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    before = current_menu(host)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good=adopted", "second")
    health.health(host, [])
    menu = current_menu(host)
    assert menu is not None
    assert before is not None
    assert menu == before.without(TXN)
    assert state.read(host)["last_rollback"]["txn"] == TXN


def test_killed_right_after_the_promotion_the_commit_is_finished(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good={TXN}", "second")
    health.health(host, ["--early"])
    assert phase(host) == "committed"
    assert not (root / "boot/hft-watchdog.img").exists()


CONF = "etc/sysctl.d/90-hft.conf"


def staged_transaction(host: Host, root: Path) -> None:
    """A whole transaction with a file and a boot part, through the agent's own journal."""
    put(root, "/etc/machine-id", "0" * 32)
    (root / "etc/sysctl.d").mkdir(parents=True)
    step = FileStep(path=f"/{CONF}", content=b"vm.swappiness = 10\n", mode=0o644, before=None, why="test")
    document = Document(
        txn=TXN,
        host="engine-1",
        machine_id="0" * 32,
        plan_hash="a" * 64,
        topology_digest=None,
        steps=(step,),
        boot=WANTED,
    )
    assert applying.run_locked(host, document, None).result == "staged"
    assert (root / CONF).exists()
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)


def test_a_failed_trial_takes_every_other_step_back_too(host: Host, root: Path) -> None:
    staged_transaction(host, root)
    boot_with(root, f"{BASE} hft.good=adopted", "second")
    health.health(host, ["--early"])
    assert not (root / CONF).exists()
    assert journal.phase_of(host, TXN) == "reverted"
    assert state.read(host)["committed"] is None
    boot_finish.revert_staged(host, TXN, "twice is once")


def test_a_kept_trial_commits_the_whole_transaction(host: Host, root: Path) -> None:
    staged_transaction(host, root)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good={TXN}", "second")
    health.health(host, ["--early"])
    assert (root / CONF).exists()
    assert journal.phase_of(host, TXN) == "committed"
    committed = state.read(host)["committed"]
    assert (committed["txn"], committed["plan_hash"]) == (TXN, "a" * 64)


def test_a_roll_back_that_was_cut_off_is_finished_at_the_next_boot(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged_transaction(host, root)
    boot_with(root, f"{BASE} hft.good=adopted", "second")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(boot_finish, "revert_staged", cut)
        with pytest.raises(KeyboardInterrupt):
            health.health(host, ["--early"])
    assert phase(host) == "rolled_back"
    assert (root / CONF).exists()
    boot_with(root, f"{BASE} hft.good=adopted", "third")
    health.health(host, ["--early"])
    assert not (root / CONF).exists()
    assert boot.open_trial(host) is None
