"""Staging, arming, promoting, taking back, on a tree that looks like a host: idempotent, refused in time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import state
from agent.boot import boot, grub, grub_adopt, grubenv
from agent.boot.preflight import current_menu
from agent.boot.states import Phase
from agent.document import Document, FileStep
from agent.errors import RefusedError
from agent.health import health
from agent.host import HostRoot
from agent.record import status_of
from agent.transaction import finish as boot_finish
from agent.transaction import journal
from agent.verbs import apply as applying
from agent.verbs.status import record_of
from tests.unit.agent.boot_tree import BASE, RELEASE, TXN, WANTED, boot_with, lay_out, phase, put, tree
from tuning.snapshot.boot_menu import HFT_CFG, HOOK, reads_ours


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


@pytest.fixture
def host(root: Path) -> HostRoot:
    return HostRoot(root=str(root))


def test_staging_adopts_and_writes_the_candidate_and_nothing_points_at_it(host: HostRoot) -> None:
    note = boot.stage(host, TXN, WANTED)
    menu = current_menu(host)
    assert menu is not None
    assert menu.good == grub.Entry(txn="adopted", release=RELEASE, args=tuple(BASE.split()))
    assert menu.candidate is not None
    assert menu.candidate.args[-3:] == (*WANTED.args, "panic=10")
    assert grubenv.load(host) == {"saved_entry": "hft-good"}
    assert "softdog" in note
    assert phase(host) == "staged"


def test_staging_twice_is_staging_once_and_taking_back_leaves_an_adopted_host(
    host: HostRoot, root: Path
) -> None:
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


def test_taking_back_what_was_never_staged_changes_nothing(host: HostRoot, root: Path) -> None:
    before = tree(root)
    boot.unstage(host, TXN)
    assert tree(root) == before


def test_arming_sets_the_one_shot_and_forgets_what_an_earlier_trial_left(host: HostRoot) -> None:
    boot.stage(host, TXN, WANTED)
    grubenv.update(host, hft_tried="old", hft_failed="kernel")
    boot.arm(host, TXN, drained=False)
    boot.arm(host, TXN, drained=False)
    assert grubenv.load(host) == {"saved_entry": "hft-good", "next_entry": "hft-candidate"}
    assert phase(host) == "armed"
    assert boot.trial_open(host, TXN)


def spoil_kernel(host: HostRoot, root: Path) -> None:
    put(root, f"/boot/vmlinuz-{RELEASE}", "another kernel")


def lose_initrd(host: HostRoot, root: Path) -> None:
    (root / f"boot/initrd.img-{RELEASE}").unlink()


def start_engine(host: HostRoot, root: Path) -> None:
    put(root, "/sys/fs/cgroup/hft.slice/hft-engine.slice/cgroup.events", "populated 1\n")


def lose_menu(host: HostRoot, root: Path) -> None:
    (root / "boot/grub/hft.cfg").unlink()


def come_up(host: HostRoot, root: Path) -> None:
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
        (come_up, "tried only once"),
    ],
)
def test_arming_looks_once_more_and_refuses(
    host: HostRoot, root: Path, spoil: Callable[[HostRoot, Path], None], sentence: str
) -> None:
    boot.stage(host, TXN, WANTED)
    spoil(host, root)
    with pytest.raises(RefusedError, match=sentence):
        boot.arm(host, TXN, drained=False)
    assert "next_entry" not in grubenv.load(host)


STRANGER = "### BEGIN /etc/grub.d/06_other ###\nmenuentry 'x' {\n}\n### END /etc/grub.d/06_other ###\n"


@pytest.mark.parametrize("line", ["menuentry 'x' {", "\tsubmenu 'more' {", "  menuentry --id a 'x' {"])
def test_nothing_is_staged_behind_a_strangers_entry(host: HostRoot, root: Path, line: str) -> None:
    put(root, "/boot/grub/grub.cfg", STRANGER.replace("menuentry 'x' {", line) + f"{HOOK}\n")
    before = tree(root)
    with pytest.raises(RefusedError, match=r"before our entries.*rename /etc/grub.d/06_other"):
        boot.stage(host, TXN, WANTED)
    assert tree(root) == before


@pytest.mark.parametrize(
    ("grub_cfg", "way"),
    [
        (STRANGER, "rename /etc/grub.d/06_other"),
        (STRANGER.replace("06_other", "00_header"), "rename /etc/grub.d/00_header"),
        ("set default=0\nmenuentry 'Recovery' --id x { echo }\n", "put it into /etc/grub.d/40_custom"),
        (f"{STRANGER.replace('06_other', '10_linux')}menuentry 'x' {{\n", "put it into"),
    ],
)
def test_what_would_stand_first_is_refused_before_our_hook_is_there(
    host: HostRoot, root: Path, grub_cfg: str, way: str
) -> None:
    put(root, "/boot/grub/grub.cfg", grub_cfg)
    before = tree(root)
    with pytest.raises(RefusedError, match=f"before our entries; {way}"):
        boot.stage(host, TXN, WANTED)
    assert tree(root) == before


def test_scripts_that_come_behind_ours_are_nobody_elses_first_entry(host: HostRoot, root: Path) -> None:
    put(root, "/boot/grub/grub.cfg", STRANGER.replace("06_other", "10_linux"))
    assert boot.stage(host, TXN, WANTED).startswith("the candidate entry")
    assert 'set fallback="2"' in (host.read(HFT_CFG) or "")


def test_a_stranger_that_came_after_staging_stops_the_arming(host: HostRoot, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    put(root, "/boot/grub/grub.cfg", f"{STRANGER}{HOOK}\n")
    with pytest.raises(RefusedError, match="before our entries"):
        boot.arm(host, TXN, drained=False)
    assert phase(host) == "staged"


WAITS = [
    (
        "/etc/default/grub.d/99-site.cfg",
        "GRUB_TIMEOUT=-1\n",
        "99-site.cfg sets GRUB_TIMEOUT=-1 and wins over",
    ),
    ("/boot/grub/grub.cfg", f"{HOOK}\nset timeout=-1\n", "run: update-grub"),
    (
        "/boot/grub/grub.cfg",
        f"{HOOK}\nset timeout=1\nsource $prefix/custom.cfg\n",
        "/boot/grub/custom.cfg has",
    ),
]


@pytest.mark.parametrize(("path", "text", "sentence"), WAITS)
def test_nothing_is_staged_where_the_menu_waits_for_a_key(
    host: HostRoot, root: Path, path: str, text: str, sentence: str
) -> None:
    put(root, "/boot/grub/custom.cfg", "set timeout=3600\n")
    put(root, path, text)
    before = tree(root)
    with pytest.raises(RefusedError, match=sentence):
        boot.stage(host, TXN, WANTED)
    assert tree(root) == before


@pytest.mark.parametrize(("path", "text", "sentence"), WAITS)
def test_a_wait_that_came_after_staging_stops_the_arming(
    host: HostRoot, root: Path, path: str, text: str, sentence: str
) -> None:
    put(root, "/boot/grub/custom.cfg", "set timeout=3600\n")
    boot.stage(host, TXN, WANTED)
    put(root, path, text)
    with pytest.raises(RefusedError, match=sentence):
        boot.arm(host, TXN, drained=False)
    assert phase(host) == "staged"
    assert "next_entry" not in grubenv.load(host)


def test_entries_behind_ours_and_a_hook_in_a_comment_are_told_apart() -> None:
    assert grub.stranger_before(f"{HOOK}\n{STRANGER}") is None
    assert not reads_ours(f"# {HOOK}\n")


@pytest.mark.parametrize(
    ("text", "with_ours", "fault"),
    [
        (f"{HOOK}\nset timeout=1\nmenuentry 'x' {{\n}}\n", True, None),
        (f"{HOOK}\nmenuentry 'x' {{\n}}\n", True, "sets no timeout"),
        (f"{HOOK}\nset timeout=-1\nmenuentry 'x' {{\n}}\n", True, "would not start by itself"),
        ("menuentry 'x' {\n}\n", False, None),
        (f"# {HOOK}\nmenuentry 'x' {{\n}}\n", True, "does not read our menu"),
        (f"{STRANGER}{HOOK}\n", True, "rename /etc/grub.d/06_other"),
        (f"{HOOK}\nmenuentry 'x' {{\n}}\n", False, "still reads our menu"),
        ("echo menuentry\n", False, "has no entry"),
        ("", False, "has no entry"),
    ],
)
def test_a_generated_menu_is_judged_before_it_is_written(
    text: str, with_ours: bool, fault: str | None
) -> None:
    """By one rule, whether our menu comes or goes."""
    found = grub_adopt.fault_of(text, with_ours=with_ours, read=lambda _: None)
    assert (found is None) if fault is None else fault in (found or "")


def fill_block(host: HostRoot, root: Path) -> None:
    room = grubenv.SIZE - len(grubenv.render({}).rstrip(b"#"))
    held = sum(len(f"{name}={value}\n") for name, value in grubenv.load(host).items())
    grubenv.update(host, kept="x" * (room - held - len("kept=\n")))


def lose_block(host: HostRoot, root: Path) -> None:
    (root / "boot/grub/grubenv").unlink()


def empty_block(host: HostRoot, root: Path) -> None:
    put(root, "/boot/grub/grubenv", "")


@pytest.mark.parametrize("spoil", [fill_block, lose_block, empty_block])
def test_an_environment_block_that_takes_no_one_shot_leaves_the_trial_staged(
    host: HostRoot, root: Path, spoil: Callable[[HostRoot, Path], None]
) -> None:
    boot.stage(host, TXN, WANTED)
    spoil(host, root)
    assert boot.reboot(host, [TXN]) == 2
    assert phase(host) == "staged"


def test_a_full_block_is_refused_before_anything_is_staged(host: HostRoot, root: Path) -> None:
    fill_block(host, root)
    before = tree(root)
    with pytest.raises(RefusedError, match="grub-editenv"):
        boot.stage(host, TXN, WANTED)
    assert tree(root) == before


@pytest.mark.parametrize("where", ["update", "checkpoint", "_read_back", "ask_for_reboot"])
def test_a_trial_is_armed_only_while_the_one_shot_is_set(
    host: HostRoot, root: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whatever fails between the record and the answer `armed`: record and one-shot agree afterwards."""
    boot.stage(host, TXN, WANTED)

    def fails(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise OSError(5, "Input/output error")

    owner = {"update": grubenv, "checkpoint": grub_adopt}.get(where, boot)
    monkeypatch.setattr(owner, where, fails)
    assert boot.reboot(host, [TXN]) == 2
    armed = grubenv.load(host).get("next_entry") == grub.CANDIDATE
    assert phase(host) == ("armed" if armed else "staged")
    assert not armed


def test_a_drained_host_may_be_armed_and_a_second_trial_may_not_be_staged(host: HostRoot, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    start_engine(host, root)
    with pytest.raises(RefusedError, match="finish or revert"):
        boot.stage(host, "20261121T101500-00000000", WANTED)
    boot.arm(host, TXN, drained=True)


def test_the_reboot_verb_answers_with_the_boot_id_or_the_refusal(
    host: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boot.reboot(host, [TXN]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "preflight"
    boot.stage(host, TXN, WANTED)
    assert boot.reboot(host, [TXN]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["result"], answer["boot_id"]) == ("armed", "first")


def test_a_candidate_that_never_came_up_is_taken_back_with_its_reason(host: HostRoot, root: Path) -> None:
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


def commit(host: HostRoot, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    host: HostRoot, root: Path, monkeypatch: pytest.MonkeyPatch
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
    host: HostRoot, root: Path, monkeypatch: pytest.MonkeyPatch
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


def test_a_promotion_that_grub_never_saw_is_taken_out_again(host: HostRoot, root: Path) -> None:
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


def test_killed_right_after_the_promotion_the_commit_is_finished(host: HostRoot, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good={TXN}", "second")
    health.health(host, ["--early"])
    assert phase(host) == "committed"
    assert not (root / "boot/hft-watchdog.img").exists()


CONF = "etc/sysctl.d/90-hft.conf"


def staged_transaction(host: HostRoot, root: Path) -> None:
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


def test_a_failed_trial_takes_every_other_step_back_too(host: HostRoot, root: Path) -> None:
    staged_transaction(host, root)
    boot_with(root, f"{BASE} hft.good=adopted", "second")
    health.health(host, ["--early"])
    assert not (root / CONF).exists()
    assert journal.phase_of(host, TXN) == "reverted"
    assert state.read(host)["committed"] is None
    boot_finish.revert_staged(host, TXN, "twice is once")


def test_a_kept_trial_commits_the_whole_transaction(host: HostRoot, root: Path) -> None:
    staged_transaction(host, root)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good={TXN}", "second")
    health.health(host, ["--early"])
    assert (root / CONF).exists()
    assert journal.phase_of(host, TXN) == "committed"
    committed = state.read(host)["committed"]
    assert (committed["txn"], committed["plan_hash"]) == (TXN, "a" * 64)


def test_a_roll_back_that_was_cut_off_is_finished_at_the_next_boot(
    host: HostRoot, root: Path, monkeypatch: pytest.MonkeyPatch
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
