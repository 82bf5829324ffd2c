"""The last used generation: kept durably, never lowered, and never guessed when it cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inventory.errors import InventoryError, StateError
from inventory.generation import Used, last_used, record_path, refuse_older, use

ONE, TWO = Used(generation=1, sha256="a" * 64), Used(generation=2, sha256="b" * 64)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_first_use_of_a_site_is_free_and_kept() -> None:
    assert last_used("rack") is None
    use("rack", TWO)
    assert last_used("rack") == TWO
    assert last_used("other") is None


def test_an_older_one_is_refused_and_changes_nothing() -> None:
    use("rack", TWO)
    with pytest.raises(InventoryError, match="generation 1 is older than 2, which was used here; hint"):
        use("rack", ONE)
    assert last_used("rack") == TWO


def test_the_same_number_with_other_content_is_refused() -> None:
    use("rack", TWO)
    with pytest.raises(InventoryError, match="generation 2 was used here with other content; hint"):
        refuse_older(Used(generation=2, sha256="c" * 64), last_used("rack"))


def test_the_same_again_needs_no_writing() -> None:
    use("rack", TWO)
    before = record_path("rack").stat()
    use("rack", TWO)
    assert os.path.samestat(record_path("rack").stat(), before)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema":1,"generation":3}',
        '{"schema":2,"generation":1,"sha256":"a"}',
        '{"schema":1,"generation":-1,"sha256":"a"}',
        '{"schema":1,"generation":1,"sha256":"a","x":1}',
        " " * 9999,
    ],
)
def test_a_damaged_record_is_named_and_never_taken_for_none(text: str) -> None:
    use("rack", ONE)
    record_path("rack").write_text(text)
    with pytest.raises(
        StateError, match=r"rack\.json: (the last used generation of site rack cannot be told|larger).*hint"
    ):
        use("rack", TWO)
    assert record_path("rack").read_text() == text


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    use("rack", ONE)
    record_path("rack").unlink()
    (tmp_path / "elsewhere").write_text('{"schema":1,"generation":1,"sha256":"a"}')
    record_path("rack").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="not a plain file"):
        use("rack", TWO)


def test_nothing_is_used_when_it_cannot_be_kept(state: Path) -> None:
    state.write_text("a file where the directory should be")
    with pytest.raises(StateError, match="hint"):
        use("rack", ONE)
