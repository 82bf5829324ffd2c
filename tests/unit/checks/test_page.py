"""The report leaves nothing out, and no character of a host's text in it is without a shape of its own."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.expected import Expected, plan_findings
from checks.facts import Facts
from checks.page import page_of, text
from checks.persist import persist_findings
from checks.settings import setting_findings
from checks.suite import HostResult
from checks.verdict import REASONS, Finding, Verdict, violated

ROWS = re.compile(r'<td class="what mono">(.*?)</td><td class="msg">(.*?)(?:<span|</td>)')
# ESC, BEL, bidirectional overrides, line separator, zero width, C1, byte order mark, private use, surrogate
HIDDEN = "\x1b\x07\u202e\u2066\u2028\u2029\u200b\x85\ufeff\x00\x7f\ue000\ud800\u00ad"
NAMES = st.from_regex(r"[a-z0-9]{1,9}(\.[a-z0-9_@:-]{1,9}){0,3}", fullmatch=True)
VERDICTS = [(verdict, reason) for verdict in Verdict for reason in REASONS.get(verdict, {None: ""})]


def result(*findings: Finding, unreachable: str | None = None, kernel: str = "") -> HostResult:
    return HostResult(host="h", started_at="2026", findings=findings, unreachable=unreachable, kernel=kernel)


def rows(page: str) -> list[tuple[str, str]]:
    return sorted((html.unescape(check), html.unescape(said)) for check, said in ROWS.findall(page))


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    verdict, reason = draw(st.sampled_from(VERDICTS))
    name = draw(NAMES)
    return Finding(check=name, verdict=verdict, reason=reason, message=f"seen: {draw(NAMES)}")


@pytest.mark.parametrize("silent", [None, "no answer in 60 s"])
@given(found=st.lists(findings(), max_size=20))
def test_every_finding_has_one_row_whatever_its_name(found: list[Finding], silent: str | None) -> None:
    page = page_of("s", [result(*found, unreachable=silent)], {})
    assert rows(page) == sorted((one.check, one.message) for one in found)
    assert (silent or "") in page


def test_the_findings_of_a_whole_host_all_have_a_row(tuned: Facts, expected: Expected) -> None:
    found = (*plan_findings(expected, tuned), *persist_findings(expected, tuned))
    found += setting_findings(expected, tuned)
    assert len(rows(page_of("s", [result(*found)], {}))) == len(found) > 50


def test_a_host_that_was_violated_and_then_fell_silent_shows_both() -> None:
    bad = violated("persist.vm.swappiness", "next_boot_differs", "99-x.conf sets 60")
    page = page_of("s", [result(bad, unreachable="no answer in 60 s")], {})
    assert rows(page) == [("persist.vm.swappiness", "99-x.conf sets 60")]
    assert "no answer in 60 s" in page
    assert 'badge unreachable">unreachable' in page


@given(raw=st.text())
def test_text_is_one_line_of_shown_characters_and_no_markup(raw: str) -> None:
    shown = text(raw)
    assert shown.isprintable()
    assert not set(shown) & set("<>\"'")
    assert len(html.unescape(shown)) == len(raw)


@given(hidden=st.text(alphabet=HIDDEN, min_size=1, max_size=5))
def test_no_page_holds_a_character_that_is_not_shown(hidden: str) -> None:
    dirty = f"a{hidden}b<i>"
    finding = Finding(
        check=dirty, verdict=Verdict.VIOLATED, reason="value_differs",
        message=dirty, expected=dirty, observed=dirty, why=dirty,
    )  # fmt: skip
    many = [result(finding, unreachable=dirty, kernel=dirty), result(finding, kernel=dirty)]
    page = page_of(dirty, many, {dirty: dirty})
    assert "".join(page.splitlines()).replace("\t", "").isprintable()
    assert not set(page) & set(HIDDEN)
    assert "<i>" not in page
    page.encode()
