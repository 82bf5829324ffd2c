"""`preflight` tells all that `apply` would refuse, at once and by the same functions, and writes nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.document import Document, FileStep, UnitStep
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.paths import LOCK_FILE, STATE_FILE
from agent.transaction import transaction
from agent.transaction.transaction import Moment
from agent.verbs import apply, preflight
from agent.verbs.selftest import MACHINE_ID, lay_out, none
from tests.unit.agent import boot_tree
from tuning.units import UNIT_DIR

TXN = "20261121T101500-3f2a9c1b"
SYSCTL = "/etc/sysctl.d/90-hft.conf"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostRoot:
    boot_tree.lay_out(tmp_path)
    made = HostRoot(root=str(tmp_path))
    lay_out(made)
    monkeypatch.setattr(apply, "check_fresh", none_of)
    return made


def none_of(*_: object) -> None:
    """The topology is as planned: a capture would start a process."""


def document(*steps: FileStep | UnitStep, boot: bool = False) -> Document:
    return Document(
        txn=TXN,
        host="h",
        machine_id=MACHINE_ID,
        plan_hash="1" * 64,
        topology_digest="2" * 64,
        steps=steps,
        boot=boot_tree.WANTED if boot else None,
    )


def write(path: str) -> FileStep:
    return FileStep(path=path, content=b"ours\n", mode=0o644, before=None, why="test")


def told(host: HostRoot, wanted: Document) -> list[str]:
    return [str(one) for one in preflight.refusals(host, wanted)]


def tree(host: HostRoot) -> dict[str, tuple[int, float]]:
    found = {path: path.lstat() for path in Path(host.root).rglob("*")}
    return {str(path): (status.st_mode, status.st_mtime) for path, status in found.items()}


def test_a_host_that_takes_the_document_refuses_nothing_and_is_left_as_it_is(host: HostRoot) -> None:
    before = tree(host)
    assert told(host, document(write(SYSCTL), boot=True)) == []
    assert tree(host) == before
    assert not host.exists(LOCK_FILE)


def test_every_refusal_is_told_and_none_hides_the_next(host: HostRoot) -> None:
    Path(host.path(SYSCTL)).unlink()
    os.mkfifo(host.path(SYSCTL))
    boot_tree.put(Path(host.root), "/etc/default/grub.d/99-x.cfg", "GRUB_TIMEOUT=-1\n")
    boot_tree.put(Path(host.root), f"{UNIT_DIR}/irqbalance.service", "[Service]\n")
    boot_tree.put(Path(host.root), f"{STATE_FILE}/kept", "theirs")
    boot_tree.put(Path(host.root), "/usr/local/lib/hft", "a file")
    mask = UnitStep(unit="irqbalance.service", enabled="masked", active=None, why="test")
    before = tree(host)
    wanted = replace(document(write(SYSCTL), mask, boot=True), machine_id="f" * 32)
    said = told(host, wanted)
    for what in (
        "/usr/local/lib/hft is a file",
        f"{STATE_FILE} is a folder",
        "this host's machine-id is",
        f"{SYSCTL} is a pipe",
        "irqbalance.service cannot be masked",
        "99-x.cfg sets GRUB_TIMEOUT=-1",
    ):
        assert any(what in one for one in said), (what, said)
    assert tree(host) == before


def test_what_preflight_lets_pass_is_applied_and_what_it_names_is_refused(host: HostRoot) -> None:
    """Both ways, for each single obstacle: the two verbs do not differ."""

    def applied(wanted: Document) -> str:
        moment = Moment(at="now", committed=apply.committed_of(wanted), supervise=none, check_fresh=none)
        try:
            return transaction.run(host, wanted, moment).result
        except RefusedError as error:
            return str(error)

    for number, obstacle in enumerate(("", "a folder", "a later name")):
        wanted = replace(document(write(SYSCTL)), txn=f"20261121T10150{number}-3f2a9c1b")
        if obstacle == "a folder":
            Path(host.path(SYSCTL)).unlink()
            Path(host.path(SYSCTL)).mkdir()
        if obstacle == "a later name":
            Path(host.path(SYSCTL)).rmdir()
            wanted = replace(wanted, txn=TXN)
        foreseen = told(host, wanted)
        done = applied(wanted)
        assert (foreseen == []) == (done == "applied"), (obstacle, foreseen, done)
        assert not foreseen or done in foreseen


def test_a_document_that_is_none_is_refused_as_apply_refuses_it(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv, data in ((["x"], b""), ([], b"{"), ([], json.dumps({"schema": 9}).encode())):
        monkeypatch.setattr("sys.stdin", Stdin(data))
        assert preflight.preflight(host, argv) == 2
        answer = json.loads(capsys.readouterr().out)
        assert [one["code"] for one in answer["refusals"]] == ["bad_document"]


class Stdin:
    """Standard input of these bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = self
        self.data = data

    def read(self, _: int) -> bytes:
        return self.data
