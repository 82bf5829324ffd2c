"""The state directory may be shared: what another member laid there is not followed and not written into."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checks import store
from hft import run_log
from hft.host_status import Answer, Standing
from hft.locks import Holder, holder_of, lock_path, site_lock
from hft.run_lines import canonical, hash_of
from hft.run_log import append, records_path
from hft.site_report import Report, as_document, sentences
from inventory.errors import StateError
from inventory.state_dir import read_plain, replacing, state_root
from tests.support.hostile import wrong_documents


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def second_name(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("lay", [link, second_name, pipe])
@pytest.mark.parametrize("path_of", [lock_path, records_path])
def test_what_is_no_plain_file_is_refused_and_left(
    lay: Callable[[Path, Path], None], path_of: Callable[[str], Path], tmp_path: Path
) -> None:
    victim = tmp_path / "authorized_keys"
    victim.write_text("a colleague's\n")
    path = path_of("rack")
    path.parent.mkdir(parents=True, exist_ok=True)
    lay(path, victim)
    with pytest.raises(StateError, match="not a plain file"), site_lock("rack", "x"):
        append("rack", {"event": "note"})
    assert victim.read_text() == "a colleague's\n"


@pytest.mark.parametrize("name", ["locks", "runs", "checks"])
def test_a_directory_that_is_a_link_is_not_gone_through(name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "rack").mkdir(parents=True)
    state_root().mkdir(parents=True, exist_ok=True)
    (state_root() / name).symlink_to(elsewhere)
    acts: tuple[Callable[[], object], ...] = (
        lambda: site_lock("rack", "x").__enter__(),
        lambda: append("rack", {"event": "note"}),
        lambda: store.save("rack", "e1", {}),
    )
    with pytest.raises(StateError, match="a link on the way"):
        acts[("locks", "runs", "checks").index(name)]()
    assert list((elsewhere / "rack").iterdir()) == []
    assert [one.name for one in elsewhere.iterdir()] == ["rack"]


def test_a_read_follows_nothing_and_waits_for_nobody(tmp_path: Path) -> None:
    for lay in (link, second_name, pipe):
        path = records_path("rack")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        victim = tmp_path / "victim"
        victim.write_text("x")
        lay(path, victim)
        with pytest.raises(StateError, match="not a plain file"):
            run_log.read("rack")


def test_a_file_of_a_stranger_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    append("rack", {"event": "note"})
    seen = records_path("rack").stat()

    def foreign(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        if found[1] == seen.st_ino:
            found[4:6] = [4_000_000, 4_000_000]
        return os.stat_result(found)

    real = os.fstat
    monkeypatch.setattr(os, "fstat", foreign)
    with pytest.raises(StateError, match="of uid 4000000"):
        run_log.read("rack")


def test_what_cannot_be_opened_names_whose_it_is_and_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with site_lock("rack", "x"):
        pass
    real = os.open

    def closed(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "rack.lock":
            raise FileExistsError if flags & os.O_EXCL else PermissionError
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", closed)
    with pytest.raises(
        StateError, match=r"of uid \d+, mode 0\d+, so you cannot use it; hint: .* move it aside"
    ):
        site_lock("rack", "x").__enter__()


def test_a_record_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    append("rack", {"event": "note"})
    monkeypatch.setattr(run_log, "RECORD_MAX", 100)
    for act in (lambda: run_log.read("rack"), lambda: append("rack", {"event": "note"})):
        with pytest.raises(StateError, match="larger than"):
            act()


OPENED: dict[str, Any] = {
    **{"event": "opened", "run": "r", "verb": "apply", "by": "alice@ops", "pid": 1, "reason": ""},
    **{"hosts": ["e1"], "plan_hashes": {"e1": "0"}},
}
CLOSED: dict[str, Any] = {
    **{"event": "closed", "run": "r", "verb": "check", "outcome": "ok", "exit_code": 0, "message": ""},
    "hosts": {
        "e1": {"verdict": "ok", "result": "applied", "plan_hash": "0" * 64, "slot": "a", "digest": "d"}
    },
}
NOTED: dict[str, Any] = {"event": "acknowledged", "host": "e1", "txn": "t", "by": "alice@ops", "reason": "r"}


def forged(lines: list[dict[str, Any]]) -> bytes:
    """A record of any lines with right hashes, as whoever can write the file can write it."""
    last, data = run_log.GENESIS, b""
    for given in lines:
        line = {"schema": 1, "at": "2026-11-21T10:15:00+00:00", "site": "rack", **given, "prev": last}
        line["hash"] = last = hash_of(line)
        data += canonical(line) + b"\n"
    return data


@pytest.mark.parametrize("good", [OPENED, CLOSED, NOTED], ids=lambda one: str(one["event"]))
def test_no_line_of_the_record_ends_a_status(good: dict[str, Any]) -> None:
    standing = Standing(host="e1", answer=Answer.ANSWERED, rollback={"txn": "t"})
    for line in (good, *wrong_documents({"at": "2026-11-21T10:15:00+00:00", **good}, seed=1)):
        try:
            data = forged([line, OPENED])
        except (ValueError, RecursionError, TypeError):
            continue  # it cannot be written
        history = run_log.read_bytes(data)
        report = Report(
            site="rack", standings=(standing,), history=history, holder=None, now=datetime.now(UTC)
        )
        sentences(report), json.dumps(as_document(report)), history.applied_plan("e1")
        assert history.lines[-1]["run"] == "r", "the lines after it still count"


def test_a_line_of_a_right_hash_and_a_wrong_shape_is_named() -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"event": "opened", "verb": "x"},
        {**CLOSED, "hosts": {"e1": []}},
        {"event": []},
    )
    for line in wrong:
        (problem,) = run_log.read_bytes(forged([line])).problems
        assert "line 1: no line of ours, though its hash is right" in problem


def test_a_shared_record_that_was_written_anew_or_cut_is_named(tmp_path: Path) -> None:
    state_root().mkdir(parents=True, exist_ok=True)
    state_root().chmod(0o2770)
    for number in range(3):
        append("rack", {"event": "note", "number": number})
    path = records_path("rack")
    whole = path.read_bytes()
    assert run_log.read("rack").problems == ()
    for data in (forged([OPENED]), b"".join(whole.splitlines(keepends=True)[:2]), b""):
        path.write_bytes(data)
        assert any("was cut or rewritten" in problem for problem in run_log.read("rack").problems)
    path.unlink()
    assert any("was cut or rewritten" in problem for problem in run_log.read("rack").problems)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"[" * 60_000,
        b'{"who": [], "pid": 1, "since": "", "reason": ""}',
        b'{"who": "a", "pid": "1", "since": "", "reason": ""}',
        json.dumps(
            {"who": "bob\x1b]0;t\x07", "pid": 1, "since": "now", "reason": "x\nhft: ok\u202e" + "y" * 9999}
        ).encode(),
    ],
)
def test_whatever_the_lock_file_says_its_holder_is_one_short_line(text: bytes) -> None:
    with site_lock("rack", "mine") as lock:
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, text, 0)
        holder = holder_of("rack")
    assert holder is None or (holder.sentence().isprintable() and len(holder.sentence()) < 1000)
    assert isinstance(holder, Holder | None)


def test_a_file_is_replaced_whole_or_not_at_all() -> None:
    path = state_root() / "checks" / "rack" / "e1.json"
    store.save("rack", "e1", {"a": 1})
    before = read_plain(path, 1000)
    with pytest.raises(KeyError), replacing(path) as descriptor:
        os.write(descriptor, b"half")
        raise KeyError
    assert read_plain(path, 1000) == before
    assert [one.name for one in path.parent.iterdir()] == ["e1.json"]
