"""An artifact from somebody else: nothing outside of it is opened or written, all of it is bounded."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploys.slot.package import read_package
from deploys.slot.unit import start_argv
from engine.conformance import unpack as bounds
from engine.conformance.artifact import opened
from engine.conformance.errors import ArtifactError
from engine.conformance.unpack import MEMBERS_MAX
from engine.contract.manifest import Exec
from tests.support.engine.deploy import manifest_of

pytestmark = pytest.mark.long

MIB = 1 << 20


def written(folder: Path, files: dict[str, bytes], **changes: Any) -> Path:
    """An artifact with FILES; CHANGES replace parts of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    listed = [{"path": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()]
    program = {"interpreter": [], "program": next(iter(files)), "arguments": []}
    document = manifest_of().model_dump(mode="json") | {"exec": program, "files": listed} | changes
    (folder / "engine.json").write_text(json.dumps(document))
    return folder


def test_an_artifact_of_plain_files_is_taken(tmp_path: Path) -> None:
    made = written(tmp_path / "a", {"acme": b"x", "lib/part": b"y"})
    with tarfile.open(fileobj=io.BytesIO(read_package(made).packed)) as packed:
        assert packed.getnames() == ["acme", "engine.json", "lib/part"]


@pytest.mark.parametrize(
    "name", ["./acme", "acme/.", "a//b", "a/./b", "acme/", "..", ".", "a/../b", "/acme", ""]
)
def test_one_file_has_one_name(name: str) -> None:
    files = [{"path": "acme", "sha256": "a" * 64}, {"path": name, "sha256": "a" * 64}]
    with pytest.raises(ValueError, match="files"):
        manifest_of(files=files)


@pytest.mark.parametrize("names", [("acme", "acme/x"), ("acme", "engine.json/x"), ("acme", "acme")])
def test_a_path_is_a_file_or_a_directory(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="files"):
        manifest_of(files=[{"path": name, "sha256": "a" * 64} for name in names])


def linked_folder(made: Path, secret: Path) -> None:
    (made / "lib").rename(made.parent / "elsewhere")
    (made / "lib").symlink_to(made.parent / "elsewhere")


def linked_file(made: Path, secret: Path) -> None:
    (made / "acme").unlink()
    (made / "acme").symlink_to(secret)


def linked_manifest(made: Path, secret: Path) -> None:
    (made / "engine.json").rename(made.parent / "engine.json")
    (made / "engine.json").symlink_to(made.parent / "engine.json")


def pipe(made: Path, secret: Path) -> None:
    (made / "acme").unlink()
    os.mkfifo(made / "acme")


@pytest.mark.parametrize("lay", [linked_folder, linked_file, linked_manifest, pipe])
def test_nothing_outside_of_a_directory_is_opened(lay: Callable[[Path, Path], None], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    made = written(tmp_path / "a", {"acme": b"x", "lib/part": b"y"})
    lay(made, secret)
    with pytest.raises(ArtifactError):
        read_package(made)


def test_a_file_that_changes_after_it_was_verified_is_not_packed(tmp_path: Path) -> None:
    made = written(tmp_path / "a", {"acme": b"x"})
    with opened(made) as artifact:
        (made / "acme").write_bytes(b"y")
        with pytest.raises(ArtifactError, match="SHA-256"):
            artifact.content("acme")


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def zeros(stream: Any, info: tarfile.TarInfo, mib: int) -> None:
    """A member of MIB MiB of zeros, as it stands in a tar."""
    info.size = mib * MIB
    stream.write(info.tobuf(tarfile.GNU_FORMAT))
    for _ in range(mib):
        stream.write(bytes(MIB))
    stream.write(bytes(1024))


HEADS: dict[str, Any] = {
    "file": {},
    "pax header": {"type": tarfile.XHDTYPE},
    "global pax header": {"type": tarfile.XGLTYPE},
    "long name": {"type": tarfile.GNUTYPE_LONGNAME},
    "long link": {"type": tarfile.GNUTYPE_LONGLINK},
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("packer", [gzip, bz2, lzma], ids=lambda one: one.__name__)
def test_a_small_file_that_holds_a_large_one_is_refused_in_little_memory(
    packer: Any, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ARTIFACT_MAX", 16 * MIB)
    path = tmp_path / "bomb.tar"
    with packer.open(path, "wb", **({"compresslevel": 1} if packer is not lzma else {"preset": 0})) as stream:
        zeros(stream, member("big", **HEADS[head]), 24)
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=r"can be unpacked|more than"):
            read_package(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_a_sparse_member_is_no_way_around_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tar"
    head = bytearray(member("big", type=tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    head[483:495] = b"77777777777\0"  # the size when expanded: 8 GiB
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + 8 * 32 + sum(head[156:512]))
    path.write_bytes(bytes(head) + bytes(1024))
    with pytest.raises(ArtifactError):
        read_package(path)


def test_the_number_of_members_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "many.tar"
    path.write_bytes(
        b"".join(member(f"d{at}", type=tarfile.DIRTYPE).tobuf() for at in range(MEMBERS_MAX + 1))
    )
    with pytest.raises(ArtifactError, match=f"more than {MEMBERS_MAX} members"):
        read_package(path)


@pytest.mark.parametrize(
    "planted",
    [
        member("../out"),
        member("/tmp/out"),
        member("a/../../out"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("link", type=tarfile.LNKTYPE, linkname="engine.json"),
        member("pipe", type=tarfile.FIFOTYPE),
        member("disk", type=tarfile.BLKTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_a_tar_writes_plain_files_inside_of_its_directory(planted: tarfile.TarInfo, tmp_path: Path) -> None:
    path = tmp_path / "made.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(planted)
    with pytest.raises(ArtifactError, match="neither a file nor a directory"):
        read_package(path)
    assert [one.name for one in tmp_path.iterdir()] == ["made.tar"]


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 500 + "1" + "}" * 500, '{"name": 1, "name": 2}', "NaN", "\ud800", ""]
)
def test_a_manifest_that_is_no_document_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ArtifactError):
        read_package(tmp_path)


def test_a_manifest_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engine.json").symlink_to("/dev/zero")
    with pytest.raises(ArtifactError):
        read_package(tmp_path)
    with pytest.raises(ArtifactError):
        read_package(Path("/dev/zero"))


@pytest.mark.parametrize(
    "prefix", ["+", "!", "!!", "-", ":", "@", "+/bin/sh", "./x", "a/b", "a b", "x\n", "", "/", "/a/../b"]
)
def test_no_wish_of_systemd_stands_before_a_program(prefix: str) -> None:
    words = [f"{prefix}/bin/sh" if len(prefix) < 3 and prefix not in ("", "/") else prefix]
    with pytest.raises(ValueError, match="interpreter"):
        Exec.model_validate({"interpreter": words, "program": "acme"})


@pytest.mark.parametrize("word", ["a\nExecStartPre=x", "\x1b", "\u2028", "x" * 5000])
def test_arguments_are_one_printable_line(word: str) -> None:
    for field in ("arguments", "interpreter"):
        value = ["python3", word] if field == "interpreter" else [word]
        with pytest.raises(ValueError, match=field):
            Exec.model_validate({"program": "acme", field: value})


@pytest.mark.parametrize("word", ["python3", "/usr/bin/python3.11", "/opt/jdk-21/bin/java"])
def test_a_program_is_a_plain_name_or_an_absolute_path(word: str) -> None:
    made = manifest_of(exec={"interpreter": [word, "-X"], "program": "acme", "arguments": []})
    assert start_argv(made, "sha256:" + "0" * 64)[0] == word
