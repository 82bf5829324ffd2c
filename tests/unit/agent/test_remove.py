"""A host leaves: the agent takes itself away, once nothing of ours stands there, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent import state
from agent.boot import grubenv
from agent.boot.grub_adopt import GRUB_D, HEALTH_UNITS
from agent.boot.grubenv import GRUBENV
from agent.host import HostRoot
from agent.install import install as installing
from agent.install.units import UNITS
from agent.paths import HFT_CFG, JOURNAL_DIR
from agent.verbs.remove import AGENT_ONLY, remove
from tuning.snapshot.boot_menu import DEFAULTS

UNIT_DIR = "/etc/systemd/system"
TXN = "20261121T101500-3f2a9c1b"
OTHERS = {
    "/etc/hft/ticket.key": "key",
    "/opt/hft/releases/a": "release",
    "/etc/systemd/system/ssh.service": "[Service]\n",
    "/etc/systemd/system/multi-user.target.wants/other.service": "[Service]\n",
    "/var/lib/hft-engine-a/journal": "orders",
    "/etc/default/grub": "GRUB_TIMEOUT=5\n",
}


def write(host: HostRoot, path: str, text: str) -> None:
    place = Path(host.path(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def tree(host: HostRoot) -> dict[str, str]:
    """Every file and link below the root, but the lock, which names its last holder."""
    found = {}
    for path in Path(host.root).rglob("*"):
        if path.name != "lock" and (path.is_symlink() or path.is_file()):
            what = str(path.readlink()) if path.is_symlink() else path.read_bytes().decode(errors="replace")
            found[f"/{path.relative_to(host.root)}"] = what
    return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostRoot:
    """A host that was tuned, deployed to, reverted and emptied again."""
    made = HostRoot(root=str(tmp_path))
    for path, text in OTHERS.items():
        write(made, path, text)
    write(made, "/usr/local/lib/hft/.agent.pyz.hft-1", "agent")
    monkeypatch.setattr(installing, "agent_version", lambda: "0.1.0+aaaa")
    assert installing.install(made, ".agent.pyz.hft-1")["result"] == "installed"
    for unit, text in {**HEALTH_UNITS, "hft-ticket.service": "[Service]\n"}.items():
        write(made, f"{UNIT_DIR}/{unit}", text)
        link = Path(made.path(f"{UNIT_DIR}/multi-user.target.wants/{unit}"))
        link.symlink_to(f"{UNIT_DIR}/{unit}")
    for path in (HFT_CFG, GRUB_D, DEFAULTS, "/usr/local/lib/hft/ticket.pyz", f"{JOURNAL_DIR}/x", HFT_CFG):
        write(made, path, "ours\n")
    Path(made.path(GRUBENV)).write_bytes(grubenv.render({"saved_entry": "hft-good", "theirs": "1"}))
    state.update(made, committed=None)
    return made


def outcome(host: HostRoot, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = remove(host, words)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == {"applied": 0, "refused": 2}[answer["result"]]
    return answer


def test_nothing_of_the_agent_is_left_and_everything_else_is(
    host: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(host, capsys)["result"] == "applied"
    left = tree(host)
    block = left.pop(GRUBENV)
    assert left == OTHERS
    assert grubenv.parse(block.encode()) == {"theirs": "1"}
    assert not Path(host.path("/var/lib/hft")).exists()
    assert not Path(host.path("/usr/local/lib/hft")).exists()


def test_the_agent_alone_leaves_what_is_committed(host: HostRoot, capsys: pytest.CaptureFixture[str]) -> None:
    state.update(host, committed={"txn": TXN, "plan_hash": "a" * 64, "at": "now"})
    before = tree(host)
    assert outcome(host, capsys, AGENT_ONLY)["result"] == "applied"
    gone = {path for path in before if path not in tree(host)}
    units = {path for path in before if path.startswith(UNIT_DIR) and Path(path).name in UNITS}
    assert gone == {*units, "/usr/local/lib/hft/agent.pyz", "/usr/local/lib/hft/agent.version"}
    assert state.read(host)["committed"]["txn"] == TXN


COMMITTED = {"committed": {"txn": TXN, "plan_hash": "a" * 64, "at": "now"}}


def test_a_plan_that_is_committed_is_reverted_first(
    host: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    state.update(host, **COMMITTED)
    refuses(host, capsys, TXN)


def test_an_engine_that_is_deployed_is_removed_first(
    host: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    write(host, f"{UNIT_DIR}/hft-engine-b.service", "[Service]\n")
    refuses(host, capsys, "hft-engine-b.service")


@pytest.mark.parametrize("words", [(), (AGENT_ONLY,)])
@pytest.mark.parametrize("phase", ["", "prepared", "step", "undoing", "staged"])
def test_what_is_open_is_finished_first(
    host: HostRoot, capsys: pytest.CaptureFixture[str], phase: str, words: tuple[str, ...]
) -> None:
    events = f'{{"phase": "{phase}", "index": -1}}\n' if phase else ""
    write(host, f"{JOURNAL_DIR}/{TXN}/progress", events)
    refuses(host, capsys, TXN, *words)


def refuses(host: HostRoot, capsys: pytest.CaptureFixture[str], what: str, *words: str) -> None:
    before = tree(host)
    answer = outcome(host, capsys, *words)
    assert (answer["result"], answer["code"]) == ("refused", "in_use")
    assert what in answer["message"]
    assert tree(host) == before


def test_words_that_it_does_not_know_change_nothing(
    host: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(host)
    assert outcome(host, capsys, "--agent-onyl")["code"] == "bad_document"
    assert tree(host) == before
