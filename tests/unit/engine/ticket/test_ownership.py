"""What issuer and independent engine refuse to own: places that somebody else can change, and links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.independent.fault import CONFIGURATION, EndError
from engine.independent.ownership import claim
from engine.ticket.errors import TicketError
from engine.ticket.ownership import claim_path, drop_left_socket

OPEN = [0o777, 0o775, 0o757]


def refused_by_issuer(place: Path) -> bool:
    try:
        claim_path(place / "issuer.sock")
    except TicketError as error:
        return error.code == "config"
    return False


def refused_by_engine(place: Path) -> bool:
    try:
        claim(place.parent / "journal", place / "admin")
    except EndError as error:
        return error.code == CONFIGURATION
    return False


BOTH = pytest.mark.parametrize("refused", [refused_by_issuer, refused_by_engine])


@BOTH
@pytest.mark.parametrize("mode", OPEN)
def test_a_path_that_others_can_replace_is_refused(
    tmp_path: Path, refused: Callable[[Path], bool], mode: int
) -> None:
    place = tmp_path / "run"
    place.mkdir()
    place.chmod(mode)
    assert refused(place)
    place.chmod(0o1777)
    assert not refused(place), "nobody can replace another's file in a sticky directory"


@BOTH
def test_a_lock_that_is_a_link_is_refused(tmp_path: Path, refused: Callable[[Path], bool]) -> None:
    place = tmp_path / "run"
    place.mkdir()
    for name in ("issuer.sock.lock", "admin.lock"):
        (place / name).symlink_to(tmp_path / "elsewhere")
    assert refused(place)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [*OPEN, 0o1777])
def test_a_journal_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal").chmod(mode)
    with pytest.raises(EndError) as error:
        claim(tmp_path / "journal")
    assert error.value.code == CONFIGURATION


def test_a_journal_that_is_a_link_or_holds_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "journal").symlink_to(tmp_path / "real")
    with pytest.raises(EndError):
        claim(tmp_path / "journal")
    (tmp_path / "real" / "000001.hftj").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EndError):
        claim(tmp_path / "real")


def test_only_a_socket_is_replaced(tmp_path: Path) -> None:
    drop_left_socket(tmp_path / "none")
    (tmp_path / "document").write_text("kept")
    with pytest.raises(TicketError):
        drop_left_socket(tmp_path / "document")
    assert (tmp_path / "document").read_text() == "kept"
