"""Every file that an operator names is read within a bound; what is no such file is one sentence, code 2."""

from __future__ import annotations

import json
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploys.errors import RefusedError
from deploys.slot.signed_limits import read_limits
from hft.errors import HftError
from hft.tree_capture import capture_tree
from hft.verbs.engine_deploy import read_object
from inventory import bounded
from inventory.bounded import read_bounded
from tests.support.hft_here import one_sentence

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"
HUGE = 5 << 30
MEMORY_MAX = 3 << 30


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, HUGE)


def no_permission(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0)


LAID: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "5 GB": sparse,
    "bytes": lambda path: path.write_bytes(b"\xff\xfe{\0\x80" * 100),
    "empty": lambda path: path.touch(),
    "loop": lambda path: path.symlink_to(path.name),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda _: None,
    "no permission": no_permission,
}
# Every option and argument that names a file to be read.
OPTIONS: dict[str, tuple[str, ...]] = {
    "plan --snapshot": ("plan", "--snapshot", "FILE"),
    "plan --tree": ("plan", "--tree", "FILE"),
    "snapshot --snapshot": ("snapshot", "--snapshot", "FILE"),
    "snapshot --tree": ("snapshot", "--tree", "FILE"),
    "check --plan": ("check", "--plan", "FILE", "--inventory", "SITE"),
    "check --plan DIR": ("check", "--plan", "FOLDER", "--inventory", "SITE"),
    "apply --plan-file": ("apply", "--dry-run", "--plan-file", "FILE", "--inventory", "SITE"),
    "status --inventory": ("status", "--inventory", "FILE"),
    "engine conformance": ("engine", "conformance", "FILE"),
    "engine deploy": ("engine", "deploy", "FILE", "--dry-run", "--inventory", "SITE"),
}


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What reads without a bound ends here, and not with the machine."""
    monkeypatch.setattr(bounded, "WRITER_S", 0.2)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def laid(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of the kind that the test asks for, by the name of the one host."""
    if request.param == "no permission" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    folder = tmp_path / "named"
    folder.mkdir()
    LAID[request.param](folder / "e1.json")
    return folder / "e1.json"


@pytest.mark.parametrize("laid", LAID, indirect=True)
@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_no_such_file_is_one_sentence(
    option: str, laid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if (option, laid.exists() and laid.stat().st_size) == ("apply --plan-file", 0) and laid.is_file():
        pytest.skip("a plan is read against the host that it is for: a dark one is named first")
    host = {"name": "e1", "address": "127.0.0.1", "ssh_port": 1, "role": "engine", "failure_domain": "a"}
    host |= {"profile": "engine", "identity": {"host_keys": [KEY], "machine_id": "1" * 32}}
    site = tmp_path / "site.json"
    site.write_text(json.dumps({"name": "loop", "hosts": [host]}))
    place = {"FILE": str(laid), "FOLDER": str(laid.parent), "SITE": str(site)}
    said = one_sentence(capsys, *(place.get(word, word) for word in OPTIONS[option]))
    assert "named" in said
    assert "please report" not in said


@pytest.mark.parametrize("laid", LAID, indirect=True)
def test_the_files_of_a_deploy_are_bounded_alike(laid: Path, tmp_path: Path) -> None:
    with pytest.raises(HftError, match="named"):
        read_object(laid)
    with pytest.raises(RefusedError, match="named"):
        read_limits(laid, None, now_utc_ns=0)
    good = tmp_path / "limits.json"
    good.write_text("{}")
    (tmp_path / "limits.json.sig").write_text("x")
    if laid.exists() and laid.is_file() and not laid.stat().st_size:
        return  # nobody signs under an empty list of signers, which is found later
    with pytest.raises((RefusedError, ValueError)):
        read_limits(good, laid, now_utc_ns=0)


@pytest.mark.parametrize("laid", LAID, indirect=True)
def test_a_tree_with_anything_in_the_place_of_a_file_is_captured_without_it(
    laid: Path, tmp_path: Path
) -> None:
    cpus = tmp_path / "tree" / "sys" / "devices" / "system" / "cpu"
    cpus.mkdir(parents=True)
    (cpus / "online").write_text("0-3\n")
    (tmp_path / "tree" / "etc").mkdir()
    if laid.exists() or laid.is_symlink():
        laid.rename(tmp_path / "tree" / "etc" / "os-release")
    assert capture_tree(tmp_path / "tree").files["/sys/devices/system/cpu/online"] == "0-3\n"


def test_a_pipe_with_a_slow_writer_is_read_to_its_end(tmp_path: Path) -> None:
    """Nothing is in it at first, and then it comes in pieces."""
    reading, writing = os.pipe()

    def write() -> None:
        for piece in (b"ab", b"cd", b"ef"):
            time.sleep(0.3)
            os.write(writing, piece)
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_bounded(Path(f"/proc/self/fd/{reading}"), 100) == b"abcdef"
    finally:
        writer.join()
        os.close(reading)
