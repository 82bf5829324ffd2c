"""What runs on the host: the store of releases, cut anywhere, and the program on bare Python."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from deploys.slot.package import Package, pack
from deploys.slot.program import program
from engine.host import store
from engine.host.bootstrap import ARGV, PROGRAM, framed
from engine.host.install import Bounded
from tests.support.checkout import ROOT
from tests.support.engine.tickets import ask_as, make_keys, make_release


def laid_down(folder: Path, package: Package, packed: bytes | None = None) -> bool:
    data = package.packed if packed is None else packed
    return store.lay_down(folder / "releases", package.digest, io.BytesIO(data))


def place_of(folder: Path, package: Package) -> Path:
    return folder / "releases" / package.digest.removeprefix("sha256:")


def test_release_is_laid_down_whole_read_only_and_once(tmp_path: Path, package: Package) -> None:
    assert laid_down(tmp_path, package)
    place = place_of(tmp_path, package)
    assert store.standing(place, package.digest) is None
    modes = {path.name: path.stat().st_mode & 0o777 for path in [place, *place.iterdir()]}
    assert modes == {place.name: 0o555, "stub.pyz": 0o444, "engine.json": 0o444}
    assert not laid_down(tmp_path, package), "the second time there is nothing to do"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_transfer_leaves_no_release(tmp_path: Path, package: Package, share: float) -> None:
    cut = package.packed[: int(len(package.packed) * share)]
    with pytest.raises(store.StoreError):
        laid_down(tmp_path, package, cut)
    assert not place_of(tmp_path, package).exists()


def test_other_bytes_under_the_digest_are_refused(tmp_path: Path, artifact: Path, package: Package) -> None:
    manifest = (artifact / "engine.json").read_bytes()
    for document in (manifest, b'{"files":[],"exec":{"program":"x"}}'):
        changed = pack({"stub.pyz": (b"something else", False), "engine.json": (document, False)})
        with pytest.raises(store.StoreError, match=r"not the file that its manifest lists|lists no files"):
            laid_down(tmp_path, package, changed)


def test_a_damaged_release_is_noticed_and_moved_aside(tmp_path: Path, package: Package) -> None:
    laid_down(tmp_path, package)
    place = place_of(tmp_path, package)
    (place / "stub.pyz").chmod(0o644)
    (place / "stub.pyz").write_bytes(b"damaged")
    assert "not the file" in str(store.standing(place, package.digest))
    assert laid_down(tmp_path, package)
    assert store.standing(place, package.digest) is None
    aside = [path.name for path in place.parent.iterdir() if ".damaged-" in path.name]
    assert len(aside) == 1, "a process may still run from it"


def test_a_tar_cannot_lead_out_of_the_store(tmp_path: Path, package: Package) -> None:
    for name, kind in (
        ("../../out", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("/etc/x", tarfile.REGTYPE),
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info, io.BytesIO())
        with pytest.raises(store.StoreError, match="not a plain file"):
            laid_down(tmp_path, package, buffer.getvalue())


def test_link_moves_by_one_rename(tmp_path: Path) -> None:
    link = tmp_path / "slots" / "a"
    assert store.point(link, "../releases/1")
    assert store.point(link, "../releases/2")
    assert (str(link.readlink()), store.point(link, "../releases/2")) == ("../releases/2", False)
    assert [path.name for path in link.parent.iterdir()] == ["a"]


def test_bounded_stream_ends_where_the_release_does() -> None:
    stream = io.BytesIO(b"releaserest")
    packed = Bounded(stream, 7)
    assert packed.read(3) + packed.read() + packed.read(5) == b"release"
    assert stream.read() == b"rest"


def test_same_sources_give_the_same_program() -> None:
    code = "import sys; from deploys.slot.program import program; sys.stdout.buffer.write(program())"
    root = ROOT
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=root)
    assert done.stdout == program()
    assert "engine/contract/manifest.py" not in zipfile.ZipFile(io.BytesIO(program())).namelist()


def test_program_looks_on_bare_python_and_notices_a_cut(package: Package) -> None:
    asked = {
        "slot": "none", "digest": package.digest, "files": ["/etc/hostname"], "texts": [], "units": [],
        "standins": "x@", "programs": ["sh"],
    }  # fmt: skip
    stdin = framed(program(), "look", asked)
    done = subprocess.run(ARGV, input=stdin, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["release"] == "absent"
    assert found["programs"]["sh"]
    assert found["memory_kib"] > 0
    assert found["version"].startswith("Linux version ")
    cut = subprocess.run(ARGV, input=stdin[:-1], capture_output=True, check=False)
    assert (cut.returncode, json.loads(cut.stdout)["code"]) == (2, "truncated")
    assert "import engine" not in PROGRAM.partition("sha256")[0], "nothing runs before the digest was taken"


@pytest.mark.parametrize(
    ("verb", "words"), [("gate", "destroy the sockets"), ("nic", "bind"), ("--help", "serve CONFIG")]
)
def test_shipped_program_has_what_a_runbook_calls_on_a_host(verb: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "ticket.pyz").write_bytes(program())
    argv = ["/usr/bin/python3", "-I", "-S", str(tmp_path / "ticket.pyz"), verb]
    done = subprocess.run(
        [*argv, *(["--help"] if verb != "--help" else [])], capture_output=True, text=True, check=True
    )
    assert words in done.stdout


def test_shipped_program_issues_tickets_on_bare_python(tmp_path: Path) -> None:
    """The issuer as its unit starts it: `python3 -I -S ticket.pyz serve`, from an empty directory."""
    keys = make_keys(tmp_path, "eng-1")
    engine = make_release(tmp_path / "release")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "limits.json").write_text("{}")
    account = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    slot = {
        "release": str(tmp_path / "release"),
        "config": str(tmp_path / "config.json"),
        "limits": str(tmp_path / "limits.json"),
        "user": account,
    }
    (tmp_path / "host.json").write_text(
        json.dumps({"host": "eng-1", "key": str(keys.host), "slots": {"a": slot}})
    )
    (tmp_path / "ticket.pyz").write_bytes(program())
    path = tmp_path / "s"
    argv = [
        "/usr/bin/python3",
        "-I",
        "-S",
        str(tmp_path / "ticket.pyz"),
        "serve",
        str(tmp_path / "host.json"),
    ]
    issuer = subprocess.Popen([*argv, str(path)], cwd="/")
    try:
        wait_for(path)
        ticket = ask_as(engine, path, "a", "0" * 64)
        assert ticket["ok"], ticket
        assert ticket["ticket"]["host"] == "eng-1"
    finally:
        issuer.terminate()
        issuer.wait(timeout=10)


def wait_for(path: Path) -> None:
    for _ in range(500):
        with socket.socket(socket.AF_UNIX) as probe:
            if path.exists() and probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("the issuer does not listen")
