"""Documents that cannot go stale: every shell block carries a tag and is run by that tier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import click
import pytest

from hft.cli import cli
from tests.support.documents import ACTIVATE, PAGES, TIERS, Block, blocks, of_tier, run_block

pytestmark = pytest.mark.long

# At the beginning of a line of a block: a program that only the environment of this checkout has.
OUR_PROGRAM = re.compile(r"^(?:HFT_[A-Z_]+=\S+ )?(?:hft|pytest|pyinfra|python) [^\n]*$", re.M)


def test_every_shell_block_carries_a_tier() -> None:
    untagged = [block.where for block in blocks() if block.tag not in TIERS]
    assert not untagged, f"shell blocks without `<!-- test: fast -->`, lab or drill above: {untagged}"


@pytest.mark.parametrize(
    ("body", "exits", "code"),
    [
        ("false\necho on\n", "", 1),
        ("(exit 3)\n(exit 6)\ntrue\n", "3 6", 0),
        ("(exit 4)\ntrue\n", "3 6", 4),
        ("! true || true\nif false; then :; fi\n", "", 0),
        ("false | true\n", "", 1),
        ("(exit 6)\n", "6", 0),
    ],
)
def test_a_block_ends_at_the_first_code_that_is_not_listed(
    body: str, exits: str, code: int, tmp_path: Path
) -> None:
    block = Block(where="here", tag="fast", body=body, exits=exits)
    if code == 0:
        run_block(block, tmp_path, timeout_s=20)
        return
    with pytest.raises(AssertionError, match=f"here exited {code}"):
        run_block(block, tmp_path, timeout_s=20)


@pytest.mark.parametrize("block", of_tier("fast"))
def test_fast_block_runs_as_written(block: Block, tmp_path: Path) -> None:
    run_block(block, tmp_path, timeout_s=60)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_says_how_our_programs_are_found_before_it_uses_them(path: Path) -> None:
    text = path.read_text()
    for used in OUR_PROGRAM.finditer(text):
        assert ACTIVATE in text[: used.start()], f"{path}: {used[0]!r}"


def named_commands() -> list[object]:
    """Every `hft ...` of every page, in a sentence or a block."""
    found = {
        (path.name, " ".join(words.split()))
        for path in PAGES
        for pattern in (r"`(?:\.venv/bin/)?hft ([^`]+)`", r"^(?:\.venv/bin/)?hft ([a-z][^\n#|&>;]+)")
        for words in re.findall(pattern, path.read_text(), re.M)
    }
    return [pytest.param(words, id=f"{page}: {words}") for page, words in sorted(found)]


@pytest.mark.parametrize("words", named_commands())
def test_a_command_that_a_page_names_exists(words: str) -> None:
    assert unknown(words.replace("'", "").split()) is None


def unknown(words: list[str]) -> str | None:
    """What of a command line the program does not know; placeholders stand for any value."""
    command, context = cast("click.Command", cli), click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words.pop(0))
        if inner is None:
            return f"{command.name} has no such command"
        command = inner
    words = words[: words.index("--")] if "--" in words else words  # what follows is another command
    known = {option for one in command.params for option in one.opts} | {"--help", "-h"}
    return next((word for word in words if word.startswith("-") and word.split("=")[0] not in known), None)


@pytest.mark.parametrize(
    "words", ["aply", "apply --dryrun", "host enroll x", "engine deploy --limit x --forces"]
)
def test_a_command_that_is_none_is_found(words: str) -> None:
    assert unknown(words.split()) is not None


@pytest.mark.drill
@pytest.mark.parametrize("block", of_tier("drill"))
def test_drill_block_runs_as_written(block: Block, tmp_path: Path) -> None:
    run_block(block, tmp_path, timeout_s=3600)
