"""Where a rollout stands, on disk: one change at a time, the old or the new one whatever goes wrong."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hft.errors import HftError
from hft.releases.kept import change, kept, kept_path
from inventory.errors import StateError
from release.rollout import Moving, Rollout, RolloutError, begun, ended, held, moved
from tests.support.hft_here import own_state
from tests.support.rollout_world import BACK, NEW, OLD, SLOT, SPARE


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    return own_state(tmp_path, monkeypatch)


def first(_: Rollout | None) -> Rollout:
    return begun(
        None, site="ny4", candidate=NEW, baseline=OLD, slot=SLOT, back=BACK, spares=(SPARE,), now_s=1
    )


def on_the_move() -> Rollout:
    """What is kept in the middle of a hand-over."""
    runs = (NEW, "sha256:" + "1" * 64, "sha256:" + "2" * 64)
    moving = Moving(move="canary", to=SLOT, epoch_seen=3, epoch=5, approved=(runs,))
    return moved(replace(first(None), stage="shadowed"), moving)


def test_what_is_kept_is_read_back_with_a_move_that_was_begun() -> None:
    assert kept("ny4") is None
    assert change("ny4", lambda _: on_the_move()) == on_the_move() == kept("ny4")
    done = change("ny4", lambda now: ended(now or first(None), "canary", now_s=2, today=""))
    assert (done.stage, done.moving) == ("canary", None) and kept("ny4") == done


def test_a_change_that_refuses_changes_nothing() -> None:
    change("ny4", first)

    def refuses(_: Rollout | None) -> Rollout:
        raise RolloutError("somebody else moved it")

    with pytest.raises(HftError, match="ny4: somebody else moved it"):
        change("ny4", refuses)
    assert kept("ny4") == first(None)


def test_changes_at_once_come_one_after_the_other() -> None:
    change("ny4", first)

    def again() -> None:
        for _ in range(5):
            change("ny4", lambda now: held(now or first(None), "why"))

    threads = [threading.Thread(target=again) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = kept("ny4")
    assert found is not None and found.revision == 21, "no change was lost"


def test_a_full_disk_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    change("ny4", first)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="cannot be kept"):
        change("ny4", lambda now: held(now or first(None), "why"))
    assert kept("ny4") == first(None)
    assert [one.name for one in kept_path("ny4").parent.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-1],
        lambda text: text.replace('"planned"', '"nowhere"'),
        lambda text: text.replace('"schema": 1', '"schema": 2'),
        lambda text: text.replace('"revision": 1', '"revision": 0'),
        lambda text: text.replace('"moving": null', '"moving": {}'),
    ],
)
def test_a_damaged_file_is_a_sentence_and_no_rollout(damage: object) -> None:
    change("ny4", first)
    path = kept_path("ny4")
    changed = damage(path.read_text())  # type: ignore[operator]
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(StateError, match="not a rollout"):
        kept("ny4")
