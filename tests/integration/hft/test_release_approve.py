"""Approvals of a slot, made by the command: two persons count, nobody twice, nothing that was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.ticket.signing import allowed_signer
from hft.errors import HftError
from hft.releases.evidence import NAMESPACE, Approvals
from hft.runbooks.cluster import Cluster
from tests.support.hft_here import hft_here, one_sentence
from tests.support.keys import make_key

DIGESTS = {"artifact": "sha256:" + "a" * 64, "config": "sha256:" + "b" * 64, "limits": "sha256:" + "c" * 64}
SLOT = "eng-1/b"
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Make:
    """What `hft release approve` printed, kept; PERSON signs with KEY."""
    (tmp_path / "approvers").touch(mode=0o644)

    def made(person: str, key: str, **changes: str) -> Path:
        path = tmp_path / key
        if not path.exists():
            line = allowed_signer(person, make_key(path).with_suffix(".pub"), NAMESPACE)
            with (tmp_path / "approvers").open("a") as signers:
                signers.write(line)
        words = {
            "site": "ny4",
            "slot": SLOT,
            "role": "canary",
            "not-after": "2099-01-01",
            **DIGESTS,
            **changes,
        }
        options = [word for name, value in words.items() for word in (f"--{name}", value)]
        said = hft_here(capsys, "release", "approve", *options, "--as", person, "--key", path)
        assert said.code == 0, said.err
        document = tmp_path / f"{person}-{key}-{len(list(tmp_path.iterdir()))}.json"
        document.write_text(said.out)
        return document

    return made


def approved(tmp_path: Path, *paths: Path) -> Approvals:
    """What stands behind the slot of a rollout at ny4."""
    cluster = Cluster(
        path=tmp_path, site="ny4", authority_key=tmp_path, gateways=(), residues={}, engines=(),
        approved={}, approvers=tmp_path / "approvers",
    )  # fmt: skip
    file: Any = SimpleNamespace(site="ny4", slot=SLOT, approvals=paths)
    return Approvals.of(file, cluster)


def test_two_persons_count_and_one_with_two_keys_does_not(make: Make, tmp_path: Path) -> None:
    alice, again, bob = make("alice", "one"), make("alice", "two"), make("bob", "three")
    assert approved(tmp_path, alice, bob).runs == {(SLOT, "canary"): (tuple(DIGESTS.values()),)}
    for wrong in ((alice,), (alice, again), (alice, alice)):
        found = approved(tmp_path, *wrong)
        assert found.runs == {} and "1 of 2 persons" in found.passed_over[0]


@pytest.mark.parametrize(
    "changes",
    [{"role": "live"}, {"slot": "eng-1/c"}, {"limits": "sha256:" + "d" * 64}, {"not-after": "2020-01-01"}],
)
def test_two_persons_approve_the_same_or_nothing(make: Make, tmp_path: Path, changes: dict[str, str]) -> None:
    assert approved(tmp_path, make("alice", "one"), make("bob", "two", **changes)).runs == {}


def test_another_sites_approval_and_a_changed_one_are_nothing(make: Make, tmp_path: Path) -> None:
    other = [make(name, name, site="ny5") for name in ("alice", "bob")]
    assert approved(tmp_path, *other).runs == {}
    alice, bob = make("alice", "alice"), make("bob", "bob")
    for key, value in (("limits", "sha256:" + "d" * 64), ("person", "carol"), ("not_after_s", 2**33)):
        document = json.loads(bob.read_text())
        document["approval"][key] = value
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps(document))
        assert approved(tmp_path, alice, changed).runs == {}, key
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(HftError, match="no approval"):
        approved(tmp_path, tmp_path / "none.json")


def test_what_cannot_be_approved_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--site", "ny4", "--role", "canary", "--as", "alice", "--key", make_key(tmp_path / "key"))
    digests = [word for name, value in DIGESTS.items() for word in (f"--{name}", value)]
    when = ("--not-after", "2099-01-01")
    assert "HOST/SLOT" in one_sentence(capsys, "release", "approve", "--slot", "b", *words, *digests, *when)
    late = ("--not-after", "soon")
    assert "soon" in one_sentence(capsys, "release", "approve", "--slot", SLOT, *words, *digests, *late)
