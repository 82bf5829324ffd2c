"""Who waits for a lock is decided by a field: what the holder is called decides nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import lock
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.paths import LOCK_FILE
from agent.record import holder_of

WAIT_S = 0.1


def seconds_waited(host: HostRoot, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long a second writer waits before it is refused."""
    waited: list[float] = []
    monkeypatch.setattr("agent.lock.time.sleep", waited.append)
    now = iter(range(10_000))
    monkeypatch.setattr("agent.lock.time.monotonic", lambda: next(now) * 0.01)
    with pytest.raises(RefusedError) as refused, lock.held(host, "second", wait_s=WAIT_S):
        pass
    assert refused.value.code == "busy"
    return sum(waited)


@pytest.mark.parametrize("name", ["x", "recover", "recover: commit of t", "apply 20261121T101500", ""])
@pytest.mark.parametrize("brief", [True, False])
def test_only_what_is_held_for_moments_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, brief: bool
) -> None:
    host = HostRoot(root=str(tmp_path))
    with lock.held(host, name, wait_s=0, brief=brief):
        assert (seconds_waited(host, monkeypatch) > 0) is brief


@given(st.binary(max_size=100) | st.text().map(str.encode))
def test_a_lock_file_of_anybody_ends_in_a_name_and_is_not_waited_for(data: bytes) -> None:
    name, brief = holder_of(data.decode("utf-8", "replace"))
    assert isinstance(name, str)
    assert name
    if brief:
        assert json.loads(data)["brief"] is True


def test_whatever_ends_the_work_the_lock_names_nobody_afterwards(tmp_path: Path) -> None:
    host = HostRoot(root=str(tmp_path))
    text = Path(host.path(LOCK_FILE))
    with pytest.raises(KeyError), lock.held(host, "first", wait_s=0):
        assert json.loads(text.read_text())["holder"] == "first"
        raise KeyError
    assert text.read_text() == ""
