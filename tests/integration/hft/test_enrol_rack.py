"""Many hosts at once: by fingerprints that came from their consoles, or by the site's SSH authority."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from hft import run_log
from inventory.certificates import read_certificate
from inventory.enrolment import enrolment_path, read_enrolled
from inventory.errors import IdentityError
from inventory.identity import fingerprint
from tests.support.commands import output
from tests.support.keys import make_key, public
from tests.support.sshd import Sshd, running_sshd

pytestmark = pytest.mark.long
OTHER = "SHA256:" + "A" * 43


def test_a_file_of_fingerprints_enrols_who_can_be_and_names_the_others(
    hft: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    one = json.loads(loopback.write_inventory().read_text())["hosts"][0]
    loopback.extra = [
        one | {"name": "twin", "address": "localhost"},  # another name of the same machine
        one | {"name": "wrong", "address": "127.0.0.2"},  # nobody listens there
        one | {"name": "dark", "ssh_port": 1},
        one | {"name": "unlisted", "ssh_port": 2},
    ]
    loopback.write_inventory()
    listed = tmp_path / "consoles.txt"
    mine = loopback.fingerprint
    listed.write_text(
        f"# rack 4\ne1 {OTHER}\ne1 {mine}   # its second key\n\ntwin {mine}\nwrong {OTHER}\ndark {mine}\n"
    )
    said = hft("host", "enrol", "--fingerprints", listed, "--inventory", loopback.inventory)
    assert said.code == 2, said
    assert sorted(read_enrolled(loopback.inventory)) == ["e1"]
    ends = [line for line in said.err.splitlines() if "asking" not in line]
    assert [line.split(":")[1].strip() for line in ends[:-1]] == ["twin", "wrong", "dark"], said.err
    assert "two hosts with the same machine id" in ends[0]
    assert "no ssh server answers at 127.0.0.2" in ends[1]
    assert ends[-1].endswith("1 of 4 hosts are enrolled")
    assert [*run_log.read("loop").lines[-1]["hosts"]] == ["e1"]
    dark = hft("host", "enrol", "dark", "--fingerprints", listed, "--inventory", loopback.inventory)
    assert dark.code == 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no host"),
        ("e1 SHA256:short\n", ":1: expected NAME SHA256:"),
        (f"\ne2 {OTHER}\n", ":2: no host is called 'e2'"),
        (f"e1 {OTHER} more\n", ":1: expected NAME SHA256:"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_before_anybody_is_asked(
    text: str, sentence: str, hft: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    listed = tmp_path / "consoles.txt"
    listed.write_text(text)
    said = hft("host", "enrol", "--fingerprints", listed, "--inventory", loopback.inventory)
    assert (said.code, sentence in said.err, said.err.count("\n")) == (2, True, 1), said.err


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Path]]:
    """An sshd whose host key the authority `ca` certified for e1, and the folder with the authority."""
    folder, own = tmp_path_factory.mktemp("certified"), tmp_path_factory.mktemp("authority")
    for name in ("ca", "stranger"):
        make_key(own / name)
    with running_sshd(
        folder, f"HostCertificate {folder}/host-cert.pub\n", before=lambda: _sign(own, folder)
    ) as one:
        yield one, own


def _sign(own: Path, folder: Path) -> None:
    output(
        "ssh-keygen",
        "-q",
        "-s",
        own / "ca",
        "-I",
        "id",
        "-h",
        "-n",
        "e1,e1.example.net",
        "-V",
        "-1d:+1d",
        folder / "host.pub",
    )


def site_of(path: Path, server: Sshd, name: str) -> Path:
    host = {
        "name": name, "address": "127.0.0.1", "ssh_port": server.port, "user": getuser(),
        "ssh_key": str(server.folder / "user"), "role": "engine", "failure_domain": "a",
    }  # fmt: skip
    path.write_text(json.dumps({"name": "ca", "hosts": [host]}))
    return path


def test_a_host_certificate_vouches_for_the_key_of_that_host(
    hft: Callable[..., Any], certified: tuple[Sshd, Path], tmp_path: Path
) -> None:
    server, own = certified
    site = site_of(tmp_path / "site.json", server, "e1")
    said = hft("host", "enrol", "--authority", own / "ca.pub", "--inventory", site)
    if "no usable identity" in said.err:
        pytest.skip("this machine has no machine-id to be enrolled by")
    assert said.code == 0, said.err
    assert read_enrolled(site)["e1"].identity.host_keys == (server.host_key,), "the key, not the certificate"


@pytest.mark.parametrize("name", ["e1", "e2"])
def test_a_certificate_of_another_authority_or_host_vouches_for_nothing(
    name: str, hft: Callable[..., Any], certified: tuple[Sshd, Path], tmp_path: Path
) -> None:
    server, own = certified
    known = {"e1": ("stranger", "another authority signed it"), "e2": ("ca", "not for e2")}
    asked, said_so = known[name]
    site = site_of(tmp_path / "site.json", server, name)
    said = hft("host", "enrol", name, "--authority", own / f"{asked}.pub", "--inventory", site)
    assert (said.code, said_so in said.err) == (2, True), said.err
    assert not enrolment_path(site).exists()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_reads_as_ssh_keygen_wrote_it(kind: str, tmp_path: Path) -> None:
    key, authority = tmp_path / kind, make_key(tmp_path / "ca")
    signed = key.with_name(f"{kind}-cert.pub")
    output("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key)
    span = ("-V", "20260101:20270101")
    output("ssh-keygen", "-q", "-s", authority, "-I", "x", "-h", "-n", "a,b", *span, f"{key}.pub")
    line = signed.read_text()
    read = read_certificate(line)
    assert (read.host_key, read.names) == (public(key), ("a", "b"))
    assert fingerprint(read.host_key) in output("ssh-keygen", "-lf", f"{key}.pub")
    times = (read.valid_from_s - 1, read.valid_from_s, read.valid_to_s)
    assert [bool(read.fault("a", at)) for at in times] == [True, False, True]
    for cut in (line[:200], line.replace("-cert-v01", "-cert-v02"), public(key), ""):
        with pytest.raises(IdentityError):
            read_certificate(cut)
    output("ssh-keygen", "-q", "-s", authority, "-I", "x", "-n", "a", f"{key}.pub")
    assert read_certificate(signed.read_text()).fault("a", 0) == "it is of a user, not of a host"


def test_who_vouches_is_said_once(hft: Callable[..., Any], loopback: Any, tmp_path: Path) -> None:
    for words in (
        (),
        ("--fingerprint", OTHER),
        ("e1", "--fingerprint", OTHER, "--authority", "x"),
        ("e1", "--limit", "e1", "--authority", "x"),
    ):
        said = hft("host", "enrol", *words, "--inventory", loopback.inventory)
        assert (said.code, "usage: hft host enrol" in said.err) == (2, True), said.err
    for text in ("", "no key", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA"):
        (tmp_path / "ca.pub").write_text(text)
        said = hft("host", "enrol", "--authority", tmp_path / "ca.pub", "--inventory", loopback.inventory)
        assert (said.code, "cannot be used as an authority" in said.err) == (2, True), said.err
