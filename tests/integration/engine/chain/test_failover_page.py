"""docs/runbooks/failover.md: its commands are run in order, and print what the page says."""

from __future__ import annotations

import re
import shlex
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

from .production import Production
from .runbook import OnCall

pytestmark = pytest.mark.engine
PAGE = ROOT / "docs" / "runbooks" / "failover.md"
COMMAND = re.compile(r"^```text\n\$ hft failover (?P<words>[^\n]+)\n(?P<prints>.*?)^```", re.M | re.S)
COMMANDS_MOST = 5


def as_pattern(line: str) -> str:
    """A line of the page: `...` is anything, and how wide a gap is does not matter."""
    words = [r"\s+".join(re.escape(word) for word in part.split()) for part in line.split("...")]
    return r"\s*" + r".*".join(rf"\s*{word}\s*" for word in words) + r"\s*"


def test_the_page_says_what_its_commands_print(native: Path) -> None:
    steps = list(COMMAND.finditer(PAGE.read_text()))
    assert 0 < len(steps) <= COMMANDS_MOST
    with ExitStack() as stack:
        chain = Production(native, stack)
        chain.standby("a")
        chain.standby("b")
        oncall = OnCall(chain)
        chain.trade_until(oncall.moves("failover", "a")["epoch"], 3)
        chain.running("a").signal(signal.SIGSTOP)
        time.sleep(0.1)
        plan = ""
        for step in steps:
            words = [plan if word == "PLAN" else word for word in shlex.split(step["words"])]
            done = oncall.hft(*words)
            assert "Traceback" not in done.stderr
            wanted, printed = step["prints"].splitlines(), done.stdout.splitlines()
            assert len(printed) == len(wanted), f"{words}: {done.stdout}{done.stderr}"
            for line, pattern in zip(printed, map(as_pattern, wanted), strict=True):
                assert re.fullmatch(pattern, line), f"{words}: {line!r} is not {pattern!r}"
            plan = next((line.removeprefix("plan ") for line in printed if line.startswith("plan ")), plan)
        chain.running("a").signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("line", "printed", "is_same"),
    [
        ("a ... b", "a 12 b", True),
        ("a  b", "a b", True),
        ("a b", "a c", False),
        ("plan 1...", "plan 1.2.ab", True),
    ],
)
def test_a_line_of_the_page_is_compared_word_by_word(line: str, printed: str, is_same: bool) -> None:
    assert bool(re.fullmatch(as_pattern(line), printed)) is is_same
