"""The look at a host is root's: what an engine's account puts in its way costs that part alone."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.host import look


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path, server


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b'{"state":"STANDBY"}\n', {"state": "STANDBY"}),
        (b"[1]\n", None),
        (b'{"state":', None),
        (b"[" * 60_000 + b"\n", None),
        (b"x" * (1 << 17), None),
    ],
)
def test_an_answer_is_one_line_of_bounded_size(
    served: tuple[Path, socket.socket], said: bytes, found: object
) -> None:
    path, server = served

    def answer() -> None:
        peer, _ = server.accept()
        with peer:
            peer.recv(100)
            try:
                peer.sendall(said)
            except OSError:
                return

    thread = threading.Thread(target=answer)
    thread.start()
    assert look.status(str(path)) == found
    thread.join()


def test_the_time_is_for_the_whole_answer_and_not_for_each_byte(
    served: tuple[Path, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, server = served
    monkeypatch.setattr(look, "_STATUS_TIMEOUT_S", 0.4)
    ended = threading.Event()

    def drip() -> None:
        peer, _ = server.accept()
        with peer:
            while not ended.wait(0.1):
                try:
                    peer.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()
    assert look.status(str(path)) is None
    assert time.monotonic() - begun < 2
    ended.set()
    thread.join()


def test_what_is_no_regular_file_of_its_own_is_not_read_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(" text\n")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(bytes((4 << 20) + 1))
    assert look.text(str(tmp_path / "file")) == "text"
    for name in ("link", "fifo", "large", "absent", "."):
        assert look.text(str(tmp_path / name)) is None, name
    assert look.text("/proc/cmdline")
