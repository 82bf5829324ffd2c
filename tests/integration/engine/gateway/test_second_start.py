"""Two gateways of one configuration, and places that others could change: the first one loses nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import called
from tests.support.engine.engine_peer import ready_engine
from tests.support.engine.gateway import Gateway, write_config

from .venue_peer import VenuePeer


@pytest.fixture
def first(program: Path, venue: VenuePeer, tmp_path: Path) -> Iterator[Gateway]:
    running = Gateway(program, write_config(tmp_path, venue.port, name="first"), "--test").start()
    running.wait_ready()
    yield running
    running.kill()


SHARED = {
    "the whole configuration": (),
    "state": ("log_directory", "admin_socket"),
    "logs": ("state_directory", "admin_socket"),
    "the admin socket": ("state_directory", "log_directory"),
}


@pytest.mark.parametrize("own", SHARED.values(), ids=SHARED)
def test_a_second_gateway_exits_75_names_the_first_and_changes_nothing(
    program: Path, venue: VenuePeer, first: Gateway, tmp_path: Path, own: tuple[str, ...]
) -> None:
    engine = ready_engine(first.port, 5)
    before = (tmp_path / "state" / "fence.block").read_bytes()
    config = write_config(tmp_path, venue.port, name="second", **{key: f"{tmp_path}/2{key}" for key in own})
    done = called(program, "--config", str(config), "--test")
    assert first.process is not None
    assert (done.returncode, f"process {first.process.pid}" in done.stderr) == (75, True), done.stderr
    assert called(program, "--config", str(config), "--test", "--init").returncode == 75
    assert (tmp_path / "state" / "fence.block").read_bytes() == before
    urn, _ = engine.order(1)
    assert venue.wait_for("accepted", urn)
    assert first.verb("latch", scope="site", reason="case")["ok"]
    numbers = Counter(line["seq"] for log in ("messages", "refusals") for line in first.lines(log))
    assert max(numbers.values()) == 1


def test_the_next_gateway_starts_where_the_killed_one_was(
    program: Path, venue: VenuePeer, first: Gateway, tmp_path: Path
) -> None:
    first.fence(6)
    first.kill()
    config = write_config(tmp_path, venue.port, name="first")
    second = Gateway(program, config, "--test").start()
    assert second.verb("status")["epoch"]["highest"] == 6
    assert second.stop() == 0


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
@pytest.mark.parametrize("place", ["state", "log"])
def test_a_directory_that_others_may_write_is_refused(
    program: Path, tmp_path: Path, place: str, mode: int
) -> None:
    config = write_config(tmp_path, 1)
    (tmp_path / place).mkdir()
    (tmp_path / place).chmod(mode)
    done = called(program, "--config", str(config), "--test")
    assert done.returncode == 64 and place in done.stderr


@pytest.mark.parametrize(
    "planted",
    [
        "state/fence.block",
        "state/fence.json",
        "state/latch.block",
        "state/owner.lock",
        "log/messages.jsonl",
        "log/refusals.jsonl",
        "log/owner.lock",
        "state",
        "log",
    ],
)
def test_a_link_is_never_written_through(program: Path, tmp_path: Path, planted: str) -> None:
    config = write_config(tmp_path, 1)
    target = tmp_path / "target"
    target.mkdir() if "/" not in planted else target.write_text("kept")
    (tmp_path / planted).parent.mkdir(exist_ok=True)
    (tmp_path / planted).symlink_to(target)
    done = called(program, "--config", str(config), "--test")
    assert done.returncode == 64, done.stderr
    assert list(target.iterdir()) == [] if target.is_dir() else target.read_text() == "kept"


def test_a_document_at_the_admin_sockets_path_is_not_unlinked(program: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, 1)
    admin = Path(json.loads(config.read_text())["admin_socket"])
    admin.write_text("kept")
    assert called(program, "--config", str(config), "--test").returncode == 75
    assert admin.read_text() == "kept"
