"""Successions: originals hold, mutants do not, each check holds back what no other does; one use each."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine.ticket.signing import allowed_signer
from failover.succession import CHECKS, Found, refused, succession_from
from hft import succession_use
from hft.cli import run_guarded
from hft.errors import HftError
from hft.verbs.failover_succession import NAMESPACE
from inventory.errors import StateError
from tests.support.hft_here import one_sentence, own_state
from tests.support.keys import make_key
from tests.support.succession_mutants import DIGESTS, FOUND, GOOD, OTHER_RUNS, RUNS, Mutant, Signing, mutants

WRONG: dict[str, Found] = {
    "signature": replace(FOUND, is_signed=False),
    "used": replace(FOUND, is_used=True),
    "expired": replace(FOUND, now_s=GOOD.not_after_s),
    "epoch": replace(FOUND, epoch=5),
    "holder": replace(FOUND, holder="eng-3/a"),
    "successor": replace(FOUND, successor="eng-3/a"),
    "approved": replace(FOUND, runs=OTHER_RUNS),
    "silence": replace(FOUND, silence_ms=499),
    "loss": replace(FOUND, loss_records=4),
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    return own_state(tmp_path, monkeypatch)


def test_every_check_has_a_case_that_it_alone_holds_back() -> None:
    assert {code for code, _ in CHECKS} == set(WRONG) and refused(GOOD, FOUND) is None
    for code, found in WRONG.items():
        refusal = refused(GOOD, found)
        assert refusal is not None and refusal.code == code and refusal.sentence
        rest = tuple(check for check in CHECKS if check[0] != code)
        assert refused(GOOD, found, rest) is None, f"without {code} it holds"


def run(tmp_path: Path, count: int, seed: int) -> None:
    made = Signing(tmp_path)
    original = Mutant(kind="original", document=made.signed(GOOD), found=FOUND)
    assert made.outcome(original) == "holds"
    tried = list(mutants(made, count, seed))
    assert [one.kind for one in tried if made.outcome(one) == "holds"] == []
    for code, _ in CHECKS:  # switched off, it lets one of the same mutants through
        rest = tuple(check for check in CHECKS if check[0] != code)
        assert "holds" in {made.outcome(one, rest) for one in tried}, code
    assert made.outcome(original) == "holds"


def test_no_mutant_of_a_sample_holds_and_the_original_does(tmp_path: Path) -> None:
    run(tmp_path, 180, 1)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_no_mutant_of_a_thousand_holds(tmp_path: Path) -> None:
    run(tmp_path, 1_260, int(os.environ.get("HFT_SEED", "1")))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2}, {"epoch_seen": 0}, {"epoch_seen": True}, {"epoch_seen": 36**5}, {"holder": "eng-1"},
        {"successor": "eng-1/a"}, {"approved": []}, {"approved": [{"artifact": DIGESTS[0]}]},
        {"approved": [{"artifact": "x", "config": DIGESTS[0], "limits": DIGESTS[0]}]}, {"silence_ms": 0},
        {"loss_max_records": -1}, {"not_after_s": 1.5}, {"more": 1},
    ],
)  # fmt: skip
def test_a_document_of_another_shape_is_no_succession(changes: dict[str, object]) -> None:
    assert succession_from(GOOD.body()) == GOOD
    with pytest.raises(ValueError, match=r":|exactly"):
        succession_from({**GOOD.body(), **changes})


def test_of_many_at_once_one_uses_it(tmp_path: Path) -> None:
    sha256, won = "a" * 64, []

    def try_once(number: int) -> None:
        try:
            succession_use.use(sha256, "now")
        except HftError:
            return
        won.append(number)

    threads = [threading.Thread(target=try_once, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(won) == 1 and succession_use.is_used(sha256) and not succession_use.is_used("b" * 64)


def test_a_use_that_cannot_be_told_is_no_first_use(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    (state / "successions").write_text("not a directory")
    with pytest.raises(StateError):
        succession_use.is_used("a" * 64)
    with pytest.raises(StateError):
        succession_use.use("a" * 64, "now")


def test_a_record_that_was_cut_off_counts_as_used(state: Path) -> None:
    path = succession_use.record_path("a" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert succession_use.is_used("a" * 64)


def cluster(tmp_path: Path) -> Path:
    key = make_key(tmp_path / "authority")
    signers = allowed_signer("epoch", key.with_suffix(".pub"), NAMESPACE)
    (tmp_path / "signers").write_text(signers)
    approved = f'approved = [{{ artifact = "{RUNS[0]}", config = "{RUNS[1]}", limits = "{RUNS[2]}" }}]'
    path = tmp_path / "failover.toml"
    path.write_text(
        f'site = "ny4"\nauthority_key = "{key}"\n[gateways.gw-1]\nadmin_socket = "/run/g"\n'
        f'[engines."eng-1/a"]\nadmin_socket = "/run/a"\n{approved}\n'
        f'[engines."eng-2/a"]\nadmin_socket = "/run/b"\n{approved}\n'
    )
    return path


def test_the_commands_sign_verify_and_use_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = cluster(tmp_path)
    sign = [
        "failover", "succession", "sign", "--file", str(file), "--epoch", "4", "--holder", "eng-1/a",
        "--silence-ms", "500", "--loss-max-records", "0", "--not-after", "2999-01-01",
    ]  # fmt: skip
    assert "did you mean 'eng-2/a'?" in one_sentence(capsys, *sign, "--to", "eng-2/aa")
    assert "the holder itself" in one_sentence(capsys, *sign, "--to", "eng-1/a")
    assert "past" in one_sentence(capsys, *sign, "--to", "eng-2/a", "--not-after", "2001-01-01")
    assert run_guarded([*sign, "--to", "eng-2/a"]) == 0
    document = tmp_path / "succession.json"
    document.write_text(capsys.readouterr().out)
    verify = [
        "failover", "succession", "verify", str(document), "--signers", str(tmp_path / "signers"),
        "--epoch", "4", "--holder", "eng-1/a", "--to", "eng-2/a", "--runs", ",".join(RUNS),
        "--silence-ms", "730", "--loss-records", "0",
    ]  # fmt: skip
    assert "refused, epoch:" in one_sentence(capsys, *verify, "--epoch", "5")
    assert run_guarded(verify) == 0 and run_guarded(verify) == 0  # looking uses nothing up
    capsys.readouterr()
    assert run_guarded([*verify, "--use", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["used"] is True
    assert "refused, used:" in one_sentence(capsys, *verify, "--use")
