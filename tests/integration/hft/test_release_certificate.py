"""Certificates of releases: originals pass, mutants do not, and each check holds back what no other does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.ticket.signing import allowed_signer
from hft.releases.certificates import IDENTITY, NAMESPACE
from release.certificate import CHECKS, Seen, certificate_from, refused
from tests.support.checkout import ROOT
from tests.support.hft_here import hft_here, one_sentence
from tests.support.keys import make_key
from tests.support.release_mutants import GOOD, SEEN, Mutant, Signing, mutants

WRONG: dict[str, Seen] = {
    "signature": replace(SEEN, is_signed=False),
    "artifact": replace(SEEN, artifact="sha256:" + "0" * 64),
    "name": replace(SEEN, name="other"),
    "version": replace(SEEN, version=(1, 4, 3)),
    "downgrade": replace(SEEN, floor=(1, 5, 0)),
    "host_class": replace(SEEN, host_class="lab-vm"),
    "expired": replace(SEEN, now_s=GOOD.not_after_s),
    "sbom": replace(SEEN, sbom="sha256:" + "0" * 64),
}


def test_every_check_has_a_release_that_it_alone_holds_back() -> None:
    assert {code for code, _ in CHECKS} == set(WRONG) and refused(GOOD, SEEN) is None
    for code, seen in WRONG.items():
        refusal = refused(GOOD, seen)
        assert refusal is not None and refusal.code == code
        rest = tuple(check for check in CHECKS if check[0] != code)
        assert refused(GOOD, seen, rest) is None, f"without {code} it passes"


def run(tmp_path: Path, count: int, seed: int) -> None:
    made = Signing(tmp_path)
    original = Mutant(kind="original", document=made.signed(GOOD), seen=SEEN)
    assert made.outcome(original) == "taken"
    passed = [one.kind for one in mutants(made, count, seed) if made.outcome(one) == "taken"]
    assert passed == []
    assert made.outcome(original) == "taken"


def test_no_mutant_of_a_sample_passes_and_the_original_does(tmp_path: Path) -> None:
    run(tmp_path, 84, 1)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_no_mutant_of_two_thousand_passes(tmp_path: Path) -> None:
    run(tmp_path, 2_100, int(os.environ.get("HFT_SEED", "1")))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"artifact": "sha256:0"}, {"version": "1.2"}, {"floor": "01.2.3"},
        {"host_classes": []},
        {"host_classes": ["-x"]}, {"not_after_s": True}, {"not_after_s": 0}, {"name": ""}, {"more": 1},
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        certificate_from(GOOD.body() | change)
    assert certificate_from(GOOD.body()) == GOOD


def test_a_release_is_signed_and_verified_by_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact, sbom, signers = tmp_path / "artifact", tmp_path / "sbom.json", tmp_path / "signers"
    argv = [sys.executable, "-m", "engine.independent.package", str(artifact)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    sbom.write_text("{}")
    key = make_key(tmp_path / "key")
    signers.write_text(allowed_signer(IDENTITY, key.with_suffix(".pub"), NAMESPACE))
    words = ("--host-class", "cloud", "--floor", "1.0.0", "--sbom", sbom, "--key", key)
    signed = hft_here(capsys, "release", "sign", artifact, "--not-after", "2099-01-01", *words)
    assert signed.code == 0, signed.err
    document = tmp_path / "release.json"
    document.write_text(signed.out)
    verify = ("release", "verify", document, artifact, "--sbom", sbom, "--signers", signers, "--host-class")
    taken = hft_here(capsys, *verify, "cloud", "--json")
    told = json.loads(taken.out)
    assert (taken.code, told["schema"], told["floor"]) == (0, 1, "1.0.0")
    other = hft_here(capsys, *verify, "bare-metal")
    assert other.code == 5 and "host_class" in other.err
    older = hft_here(capsys, *verify, "cloud", "--floor", "1.0.1")
    assert older.code == 5 and "downgrade" in older.err
    sbom.write_text("{} ")
    changed = hft_here(capsys, *verify, "cloud")
    assert changed.code == 5 and "sbom" in changed.err
    sbom.write_text("{}")
    (artifact / "stub.pyz").write_bytes(b"another program")
    assert "stub.pyz" in one_sentence(capsys, *verify, "cloud")
    old = hft_here(capsys, "release", "sign", artifact, "--not-after", "yesterday", *words)
    assert old.code == 2
