"""Who may sign limits is what the host holds, and before that what the inventory names."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from deploys.errors import RefusedError
from deploys.slot.limits import SignedLimits
from deploys.slot.signed_limits import read_limits, vouched
from deploys.slot.slot_changes import Asked, decide
from deploys.slot.slot_state import Seen
from engine.host import places
from engine.ticket.limits import sign_limits
from tests.support.engine.deploy import LIMITS, host_of, seen_of, signers, write_limits
from tests.support.engine.tickets import Keys, make_keys

PLACE = places.signers_of("a")


def holding(text: str) -> Seen:
    """A slot whose signers are TEXT."""
    return seen_of(files={PLACE: hashlib.sha256(text.encode()).hexdigest()}, texts={PLACE: text})


@pytest.fixture
def stranger(tmp_path: Path) -> Keys:
    """A key made a moment ago."""
    (tmp_path / "stranger").mkdir()
    return make_keys(tmp_path / "stranger", "engine-1")


@pytest.fixture
def strangers_limits(stranger: Keys, tmp_path: Path) -> Path:
    """Limits by that key, its allowed_signers beside them as if they were to be believed."""
    path = tmp_path / "limits.json"
    sign_limits({**LIMITS, "serial": 4}, path, stranger.authority)
    path.with_name("allowed_signers").write_bytes(stranger.authority_signers.read_bytes())
    return path


def test_the_host_verifies_by_its_own_signers(asked: Asked, tmp_path: Path) -> None:
    newer = read_limits(write_limits(tmp_path, serial=4), None, now_utc_ns=0)
    own = signers().read_text()
    found = vouched(host_of(), dataclasses.replace(asked, limits=newer, signers_sha256=None), holding(own))
    assert found.limits is not None
    assert found.limits.signers == own
    decide(host_of(), found, holding(own))


def test_a_file_beside_the_limits_is_not_believed(asked: Asked, strangers_limits: Path) -> None:
    theirs = read_limits(strangers_limits, None, now_utc_ns=0)
    for seen, words in ((holding(signers().read_text()), "signed by nobody"), (seen_of(), "add --signers")):
        with pytest.raises(RefusedError, match=words):
            vouched(host_of(), dataclasses.replace(asked, limits=theirs), seen)


def test_signers_of_the_command_line_change_no_slot(
    asked: Asked, strangers_limits: Path, stranger: Keys
) -> None:
    theirs = read_limits(strangers_limits, stranger.authority_signers, now_utc_ns=0)
    with pytest.raises(RefusedError, match="trusts other signers than"):
        vouched(host_of(), dataclasses.replace(asked, limits=theirs), holding(signers().read_text()))


@pytest.mark.parametrize(
    ("named", "words"), [(None, "the inventory names no signers"), ("0" * 64, "the inventory names 0000")]
)
def test_a_first_deploy_takes_the_signers_of_the_inventory_alone(
    asked: Asked, named: str | None, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        vouched(host_of(), dataclasses.replace(asked, signers_sha256=named), seen_of())
    assert vouched(host_of(), asked, seen_of()) == asked


@pytest.mark.parametrize("texts", [{}, {PLACE: None}, {PLACE: "other bytes"}])
def test_signers_that_cannot_be_read_vouch_for_nothing(asked: Asked, texts: dict[str, str | None]) -> None:
    seen = dataclasses.replace(holding(signers().read_text()), texts=texts)
    with pytest.raises(RefusedError, match="cannot be read"):
        vouched(host_of(), asked, seen)


def test_limits_that_nobody_verified_never_travel(asked: Asked, limits: SignedLimits) -> None:
    bare = dataclasses.replace(limits, signers=None)
    with pytest.raises(RefusedError, match="were not verified"):
        decide(host_of(), dataclasses.replace(asked, limits=bare), seen_of())
