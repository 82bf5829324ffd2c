"""Every word that a verdict, a refusal, a plan or an exit code may print is explained, with its source."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from checks.verdict import REASONS, Verdict
from deploys.rollout.outcome import Result
from hft import pages
from hft.errors import Exit, HftError
from tests.support.checkout import ROOT
from tests.support.hft_here import hft_here, one_sentence
from tuning.plan.refusal import Code
from tuning.plan.validity import VALID
from tuning.sysctl_table import TABLE

KNOWN = pages.entries(ROOT / "docs")
# Where an agent's code is written: of an error or a ruling first, or by name.
SAID = re.compile(r"(?:RefusedError|StepFailedError|AgentError)\(\s*\"([a-z_]+)\"|\bcode=\"([a-z_]+)\"")


def agent_codes() -> set[str]:
    """Every code that the agent's answers may carry."""
    text = "".join(path.read_text() for path in sorted((ROOT / "agent").rglob("*.py")))
    return {one or other for one, other in SAID.findall(text)}


WORDS = [
    *(reason for of in REASONS.values() for reason in of),
    *map(str, Verdict),
    *map(str, Code),
    *(str(int(code)) for code in Exit),
    *get_args(Result),
    *agent_codes(),
    *(key.replace("*", "x") for key in VALID),
    *(row.key for row in TABLE),
]


def test_every_word_has_a_page() -> None:
    assert [word for word in WORDS if not pages.find(KNOWN, word)] == []
    assert pages.find(KNOWN, "no such word") == []


@pytest.mark.parametrize(
    ("word", "says", "source"),
    [
        ("irq_on_isolated", "routed to an isolated CPU", "docs/verdicts.md, Violated"),
        ("ports_guessed", "several NUMA nodes", "docs/refusals.md, A part is not planned"),
        ("kernel.numa_balancing", "no page is unmapped", "Documentation/admin-guide/sysctl/kernel.rst"),
        ("7", "did not answer", "docs/ci.md, Exit codes"),
        ("Not-Applicable", "does not apply to this host", "docs/verdicts.md"),
        ("slice.system", "from Linux 5.0", "docs/settings.md, CPUs, scheduler, workqueues"),
        ("isolcpus=nohz", "an alias of nohz_full", "docs/settings.md, Kernel command line"),
    ],
)
def test_a_word_is_explained(word: str, says: str, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = hft_here(capsys, "explain", word)
    assert (said.code, says in said.out, source in said.out) == (0, True, True), said
    document = json.loads(hft_here(capsys, "explain", word, "--json").out)
    assert document["pages"], document


def test_a_word_that_nobody_explains_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'irq_on_isolated'" in one_sentence(capsys, "explain", "irq_on_isolate")
    assert "the pages are in" in one_sentence(capsys, "explain", "zzzzzz")


def test_a_row_is_read_with_its_titles() -> None:
    text = "# T\n## S\n| `a` | b |\n|---|---|\n| `x`, `y` | one \\| [two](z.md) |\n\n| c |\n|-|\n| q |\n"
    first, second = pages.rows_of("p.md", text)
    assert (first.names[:2], first.cells["b"], first.source) == (("x", "y"), "one | two", "docs/p.md, S")
    assert second.cells == {"c": "q"}


def test_pages_that_did_not_come_along_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pages, "__file__", str(tmp_path / "hft/pages.py"))
    monkeypatch.setattr("hft.pages.sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(HftError, match="not in this installation"):
        pages.folder()
