"""The man pages say of every command what its --help says, in requests that every formatter knows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
import pytest

from hft.cli import VERBS, cli
from hft.man_pages import pages, roff
from tests.support.hft_here import hft_here

DAY = date(2026, 12, 1)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return dict(pages(cli, "0.1.0", DAY))


def test_every_command_has_a_page_with_each_of_its_options(made: dict[str, str]) -> None:
    assert {f"hft-{verb}.1" for verb in VERBS} | {"hft.1", "hft-host-enrol.1"} <= made.keys()
    context = click.Context(cli, info_name="hft")
    for verb in VERBS:
        command = cli.get_command(context, verb)
        assert command is not None
        text = made[f"hft-{verb}.1"]
        options = [name for param in command.params if isinstance(param, click.Option) for name in param.opts]
        assert [name for name in options if roff(name) not in text] == []
        assert text.startswith(f'.TH "HFT-{verb.upper()}" 1 "2026-12-01" "hft-infra 0.1.0"')
        if isinstance(command, click.Group):
            assert all(f"hft\\-{verb}\\-" in text for _ in command.commands)
        told = f"{command.help}{command.epilog}"
        assert (".SH EXAMPLES" in text, "Examples:" in text) == ("Examples:" in told, False), verb


def test_nothing_of_a_text_is_taken_for_a_command_of_the_formatter(made: dict[str, str]) -> None:
    for text in (".so /etc/passwd", "'\\\" t", "a\\nb", "-x ~ ^ `"):
        assert not roff(text).startswith((".", "'"))
    assert roff("a\\b") == "a\\eb"
    known = {".TH", ".SH", ".PP", ".TP", ".nf", ".fi", ".B"}
    used = {line.split()[0] for text in made.values() for line in text.splitlines() if line.startswith(".")}
    assert used <= known


def test_they_are_written_where_one_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = hft_here(capsys, "manual", tmp_path / "man" / "man1")
    assert (said.code, "pages into" in said.out) == (0, True), said
    assert (tmp_path / "man" / "man1" / "hft.1").stat().st_size > 1000
    (tmp_path / "file").touch()
    wrong = hft_here(capsys, "manual", tmp_path / "file" / "man1")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1), wrong
