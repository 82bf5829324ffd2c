"""The house's gate for text: no tracked file names a place of one machine; the glossary is in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, tracked

# Absolute paths below folders that belong to one person or one machine, and what lies beside a checkout.
ONE_MACHINE = re.compile(r"(?<![\w.~$)}-])/(?:work|home|Users|workspaces?)/\w")
BESIDE = re.compile(r"(?:\.\./|[\"'/ ])shared(?:/(?:data|tools)\b|\"\s*/)")
EXEMPT = {
    ".ci/run": "looks for a tool beside the checkout, and says so and goes on where there is none",
    "tests/cases/data.py": "the one place that says where optional test data lies; its readers skip",
    "tests/tidy/test_tidy_text.py": "the examples below",
}
WRONG = (
    f'Path("/{"work"}/data")',
    "at /home/alice/x",
    "see /Users/bob/y",
    "../shared/x.py",
    'parents[3] / "shared" / "d"',
)
RIGHT = (
    "$x/home/y",
    "network/",
    "homework/a",
    f"./{'work'}/a",
    '"shared"',
    "a shared/private split",
    "~/home/x",
)


def text_of(path: Path) -> str:
    """The text of a tracked file; none for one that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def names_one_machine(line: str) -> bool:
    return bool(ONE_MACHINE.search(line) or BESIDE.search(line) or "../shared" in line)


def test_no_file_names_a_place_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked()
        if str(path.relative_to(ROOT)) not in EXEMPT
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if names_one_machine(line)
    ]
    assert not found, "\n".join(found)


def test_every_exemption_is_still_needed() -> None:
    needless = [name for name in EXEMPT if not any(map(names_one_machine, text_of(ROOT / name).splitlines()))]
    assert not needless


@pytest.mark.parametrize("line", WRONG)
def test_a_place_of_one_machine_is_found(line: str) -> None:
    assert names_one_machine(line)


@pytest.mark.parametrize("line", RIGHT)
def test_other_text_is_left_alone(line: str) -> None:
    assert not names_one_machine(line)


def test_the_glossary_is_alphabetical_and_has_each_word_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs/glossary.md").read_text(), re.M)
    words = [row.lower() for row in rows if row != "word"]
    assert words == sorted(set(words))
