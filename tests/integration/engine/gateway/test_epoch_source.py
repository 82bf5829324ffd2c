"""The file authority: one winner for each epoch, durable and signed; the rule for a gateway pair; limits."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.contract.canonical import canonical
from engine.ticket import signing
from engine.ticket.epoch import Approval, Fence, FileEpochSource
from engine.ticket.errors import TicketError
from engine.ticket.fence import decide, fence_session
from engine.ticket.limits import sign_limits
from tests.support.engine.tickets import limits_document, make_keys
from tests.support.keys import make_key

RUNS = (Approval(artifact="sha256:a", config="sha256:b", limits="sha256:c"),)


def test_an_epoch_is_signed_by_the_authority_and_read_back(tmp_path: Path) -> None:
    keys = make_keys(tmp_path, "eng-1")
    source = FileEpochSource(path=tmp_path / "epoch.json", key=keys.authority)
    assert source.read() is None
    fence = source.advance(0, "eng-1/a", RUNS)
    assert source.read() == fence and fence.epoch == 1
    words: dict[str, Any] = {"signers": keys.authority_signers, "identity": "epoch"}
    body = canonical(fence.body())
    assert signing.is_signed(body, fence.signature, namespace="hft-fence", **words)
    assert not signing.is_signed(body + b" ", fence.signature, namespace="hft-fence", **words)
    assert not signing.is_signed(body, fence.signature, namespace="hft-limits", **words)


def test_of_many_who_saw_the_same_epoch_one_wins(tmp_path: Path) -> None:
    key = make_key(tmp_path / "authority")

    def attempt(name: int) -> int | None:
        try:
            return FileEpochSource(path=tmp_path / "epoch.json", key=key).advance(0, f"h{name}/a", RUNS).epoch
        except TicketError as error:
            assert error.code == "epoch_moved"
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8)), key=str) == [1, *[None] * 7]


def test_processes_that_all_retry_count_without_a_gap_or_a_double(tmp_path: Path) -> None:
    key = make_key(tmp_path / "authority")
    approved = tmp_path / "approved.json"
    approved.write_text("[]")
    base = [sys.executable, "-m", "engine.ticket"]
    path = str(tmp_path / "epoch.json")

    def contend(name: int) -> list[int]:
        won: list[int] = []
        while len(won) < 2:
            read = subprocess.run([*base, "epoch", path], capture_output=True, text=True, check=True)
            current = json.loads(read.stdout)
            seen = str(current["epoch"] if current else 0)
            argv = [*base, "advance", path, str(key), seen, f"h{name}/a", str(approved)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert done.returncode in (0, 75), done.stderr
            if done.returncode == 0:
                won.append(int(json.loads(done.stdout)["epoch"]))
        return won

    with ThreadPoolExecutor(3) as pool:
        won = sorted(epoch for epochs in pool.map(contend, range(3)) for epoch in epochs)
    assert won == [1, 2, 3, 4, 5, 6]


def test_a_damaged_record_is_an_error_not_epoch_zero(tmp_path: Path) -> None:
    key = make_key(tmp_path / "authority")
    source = FileEpochSource(path=tmp_path / "epoch.json", key=key)
    source.advance(0, "h/a", RUNS)
    source.path.write_text(source.path.read_text()[:-5])
    with pytest.raises(TicketError, match="not an epoch record"):
        source.advance(0, "h/a", RUNS)


def ack(fence: Fence) -> dict[str, Any]:
    return {"ok": True, "epoch": fence.epoch}


def silent(_: Fence) -> dict[str, Any]:
    raise ConnectionRefusedError


def test_a_pair_is_fenced_when_both_ack_or_the_venue_cut_off_the_silent_one() -> None:
    fence = Fence(epoch=4, holder="h/a", approved=RUNS)
    assert fence_session(fence, {"gw-1": ack, "gw-2": ack}, lambda name: False).is_fenced
    alone = fence_session(fence, {"gw-1": ack, "gw-2": silent}, lambda name: False)
    assert not alone.is_fenced and "gw-2 is silent" in alone.sentence
    cut = fence_session(fence, {"gw-1": ack, "gw-2": silent}, lambda name: name == "gw-2")
    assert cut.is_fenced and "disabled gw-2" in cut.sentence


def test_a_refusal_another_epoch_and_an_empty_list_are_no_fence() -> None:
    fence = Fence(epoch=4, holder="h/a", approved=RUNS)
    refused = fence_session(
        fence, {"gw-1": lambda _: {"ok": False, "code": "stale_epoch"}}, lambda name: True
    )
    assert not refused.is_fenced and "stale_epoch" in refused.sentence
    assert not fence_session(fence, {"gw-1": lambda _: {"ok": True, "epoch": 3}}, lambda name: True).is_fenced
    assert not decide((), {}, frozenset(), {}).is_fenced


def test_limits_are_signed_with_rising_serials_only(tmp_path: Path) -> None:
    keys = make_keys(tmp_path, "eng-1")
    path = tmp_path / "limits.json"
    sign_limits(limits_document(5), path, keys.authority)
    signature = (tmp_path / "limits.json.sig").read_text()
    words: dict[str, Any] = {
        "signers": keys.authority_signers,
        "identity": "limits",
        "namespace": "hft-limits",
    }
    assert signing.is_signed(path.read_bytes(), signature, **words)
    for serial in (5, 4):
        with pytest.raises(TicketError, match=f"serial {serial} is not above 5"):
            sign_limits(limits_document(serial), path, keys.authority)
    sign_limits(limits_document(6), path, keys.authority)


@pytest.mark.parametrize(
    "key", ["orders_per_s_max", "order_quantity_max_shares", "order_notional_max_e4", "symbols"]
)
def test_a_limit_that_is_missing_or_no_number_is_not_signed(tmp_path: Path, key: str) -> None:
    for wrong in (None, -1, "10", True):
        with pytest.raises(TicketError, match=key):
            sign_limits(limits_document(1, **{key: wrong}), tmp_path / "limits.json", tmp_path / "key")
