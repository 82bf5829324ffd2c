"""Who is written down is whom the kernel knows; what the environment says is marked as that."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from hft import operators
from hft.operators import operator


@pytest.fixture
def uids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No login is known."""
    monkeypatch.setattr(operators, "_LOGIN", tmp_path / "loginuid")
    return monkeypatch


@pytest.mark.parametrize("variable", ["SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"])
def test_an_account_cannot_name_itself(uids: pytest.MonkeyPatch, variable: str) -> None:
    uids.setenv(variable, "alice")
    uids.setattr(os, "getuid", lambda: 4_000_000)
    assert operator().startswith("uid4000000@")


def test_for_root_sudos_word_stands_beside_and_says_whose_it_is(uids: pytest.MonkeyPatch) -> None:
    uids.setattr(os, "getuid", lambda: 0)
    uids.setenv("SUDO_USER", "alice")
    assert operator().startswith("root (sudo says alice)@")
    for planted in ("a\nb", "\x1b[2J", "a b", "x" * 100, ""):
        uids.setenv("SUDO_USER", planted)
        assert operator().startswith("root@")


def test_the_login_that_the_kernel_keeps_counts_more_than_sudos_word(
    uids: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    somebody = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))
    uids.setattr(os, "getuid", lambda: 0)
    uids.setenv("SUDO_USER", "alice")
    for text, shown in (
        (str(somebody.pw_uid), f"login {somebody.pw_name}"),
        ("4294967295", "sudo says alice"),
    ):
        (tmp_path / "loginuid").write_text(text)
        assert f"root ({shown})@" in operator()
