"""Both of apt's source formats are read; what is not a Debian 12 mirror is not taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.mirror import archive_lines, mirrors

DEB822 = """Types: deb
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
ONE_LINE = """# deb http://commented.example/debian bookworm main
deb [arch=amd64 trusted=yes] https://one.example/debian bookworm main non-free
deb-src https://one.example/source bookworm main
"""


def test_deb822_stanzas_are_read() -> None:
    assert mirrors(DEB822) == {
        "bookworm": "http://mirror.example/debian",
        "bookworm-updates": "http://mirror.example/debian",
        "bookworm-security": "http://mirror.example/debian-security",
    }


def test_one_line_entries_are_read_and_comments_are_not() -> None:
    assert mirrors(ONE_LINE) == {"bookworm": "https://one.example/debian"}


def test_other_archives_are_not_taken_for_a_mirror() -> None:
    assert mirrors("deb https://docker.example/linux/debian bookworm stable\n") == {}
    assert mirrors("deb https://vendor.example/apt bookworm main\n") == {}
    assert mirrors("deb http://one.example/debian trixie main\n") == {}


def test_a_machine_without_debian_sources_is_told_the_line_it_needs(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="deb URI bookworm main"):
        archive_lines(tmp_path)


def test_the_machines_mirror_is_used_for_its_suites_only(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    assert archive_lines(tmp_path) == ("deb https://one.example/debian bookworm main",)
