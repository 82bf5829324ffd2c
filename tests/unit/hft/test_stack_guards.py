"""What stands before a deletion or a replacement: this plan's approval, used once, and market hours."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hft.errors import Exit, HftError
from hft.stack_guards import check_approval, check_market_hours, digest_of, spend

SESSION = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)  # a Tuesday, in New York's session
NIGHT = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
FILE = 'site = "ny4"\nexchanges = ["XNYS"]\nbefore_open_minutes = 60\nafter_close_minutes = 15\n'


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "release.toml"
    path.write_text(FILE)
    return path


def test_nothing_is_deleted_or_replaced_in_market_hours(release: Path) -> None:
    with pytest.raises(
        HftError, match=r"host would be deleted or replaced, and ny4 is frozen by .*until 2026"
    ) as said:
        check_market_hours(["host"], release, at=SESSION)
    assert said.value.exit_code == Exit.BAD_INPUT
    assert "what only creates or mends passes at any time" in str(said.value)
    check_market_hours(["host"], release, at=NIGHT)
    check_market_hours([], release, at=SESSION)  # a repair


def test_without_a_release_file_it_says_that_market_hours_are_not_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_market_hours([], None, at=SESSION)
    assert capsys.readouterr().err == ""
    check_market_hours(["host"], None, at=SESSION)
    assert "market hours are not known here; hint: set HFT_RELEASE" in capsys.readouterr().err


def test_a_release_file_that_cannot_be_used_lets_nothing_go(tmp_path: Path) -> None:
    with pytest.raises(HftError):
        check_market_hours(["host"], tmp_path / "none.toml", at=NIGHT)


def check(lost: list[str], plan: Path | None, approval: str, *, yes: bool) -> bool:
    return check_approval(lost, plan=plan, approval=approval, project="lab", site="ny4", yes=yes)


def test_yes_alone_is_no_approval_of_a_loss(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("one")
    right = digest_of(plan)
    assert not check([], None, "", yes=True)
    assert not check(["host"], None, "", yes=False)  # the question names it
    assert check(["host"], plan, right, yes=True)
    for given, approval in ((None, ""), (None, right), (plan, ""), (plan, right[:-1]), (plan, "0" * 16)):
        with pytest.raises(HftError, match="host would be deleted or replaced") as said:
            check(["host"], given, approval, yes=True)
        assert "hint: hft stack preview lab --site ny4 --save PLAN" in str(said.value)
    plan.write_text("two")
    with pytest.raises(HftError, match="is not the digest of"):
        check(["host"], plan, right, yes=True)


def test_an_approval_is_used_once(tmp_path: Path) -> None:
    kept = tmp_path / "approvals"
    spend(kept, "a" * 16)
    spend(kept, "b" * 16)
    assert kept.stat().st_mode & 0o777 == 0o600
    for digest in ("a" * 16, "b" * 16):
        with pytest.raises(HftError, match=f"plan {digest} was approved for one run, and has had it"):
            spend(kept, digest)
