"""What on-call sees at 80 columns: a line a host, the worst first, a sign without colour, what to do."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hft import status_screen
from hft.errors import Exit
from hft.host_status import Answer, Standing
from hft.run_log import GENESIS, History
from hft.site_report import Report
from hft.verbs.status import watched
from tests.support.hft_here import hft_here

NOW = datetime(2026, 12, 1, 3, 12, tzinfo=UTC)
PLAN, OTHER = "a" * 64, "b" * 64
UP: dict[str, Any] = {"answer": Answer.ANSWERED, "managed": True, "entry": "good", "committed": PLAN}


def host(name: str, **facts: Any) -> Standing:
    return Standing(host=name, **(UP | facts))


def line(verb: str, name: str, minutes: float, **facts: Any) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes)).isoformat()
    return {"event": "host", "run": f"{verb}{name}", "verb": verb, "host": name, "facts": facts, "at": at}


def report(*standings: Standing, lines: tuple[Mapping[str, Any], ...] = ()) -> Report:
    history = History(lines=tuple(map(dict, lines)), problems=(), last_hash=GENESIS)
    return Report(site="rack", standings=standings, history=history, holder=None, now=NOW)


UNDOING = {"txn": "20261201T030000-00000001", "phase": "undoing"}
ROLLBACK = {"txn": "20261201T030000-00000001", "brought_back_by": "watchdog", "reason": "x"}
EVERY = {
    "as-wanted": host("as-wanted"),
    "half-undone": host("half-undone", transaction=UNDOING),
    "stranger": host("stranger", enrolled=False, managed=False, note="not the enrolled machine"),
    "dark": Standing(host="dark", answer=Answer.SILENT, note="no answer from 10.0.0.1 port 22"),
    "refuses": Standing(host="refuses", answer=Answer.REFUSED),
    "slow": Standing(host="slow", answer=Answer.CONNECTED),
    "late": Standing(host="late", answer=Answer.LATE),
    "rolled-back": host("rolled-back", rollback=ROLLBACK),
    "open": host("open", transaction={"txn": "20261201T030000-00000001", "phase": "step"}),
    "violated": host("violated"),
    "outdated": host("outdated"),
    "busy": host("busy", answer=Answer.BUSY, busy="apply 20261201T030000-00000001"),
    "new": Standing(host="new", answer=Answer.NOT_ASKED, enrolled=False),
}
LINES = (
    line("check", "as-wanted", 5, verdict="ok", plan_hash=PLAN),
    line("check", "violated", 12, verdict="violated", plan_hash=PLAN),
    line("check", "outdated", 50, verdict="ok", plan_hash=OTHER),
    line("apply", "outdated", 90, result="applied", plan_hash=OTHER),
)
ORDER = {
    "X": {"half-undone", "stranger", "dark", "refuses"},
    "!": {"rolled-back", "open", "violated", "outdated"},
    "~": {"slow", "late", "busy", "new"},
    "+": {"as-wanted"},
}


def test_the_worst_is_first_and_slow_is_not_dark() -> None:
    rows = status_screen.rows_of(report(*EVERY.values(), lines=LINES))
    signs = [row.sign for row in rows]
    assert {sign: {row.host for row in rows if row.sign == sign} for sign in ORDER} == ORDER
    assert signs == sorted(signs, key="X!~+".index)
    assert rows[0].host == "half-undone"
    assert {row.to_do for row in rows if row.host in ("slow", "late")} == {"wait longer"}
    assert all(row.to_do not in ("", "-") for row in rows if row.sign in "X!")


def test_each_host_is_one_line_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status_screen.show(report(*EVERY.values(), lines=LINES))
    head, titles, *lines = capsys.readouterr().out.splitlines()
    assert head == "site rack, 2026-12-01 03:12:00 UTC"
    assert titles.split() == ["host", "state", "plan", "verdict", "to", "do"]
    table = lines[: len(EVERY)]
    assert all(len(one) <= 80 for one in table), table
    assert [one.split()[1] for one in table] == [
        row.host for row in status_screen.rows_of(report(*EVERY.values(), lines=LINES))
    ]
    assert lines[len(EVERY)].startswith("13 hosts: ")
    assert any("violated 12min" in one for one in table)


def test_a_verdict_says_which_plan_it_judged() -> None:
    rows = {row.host: row.verdict for row in status_screen.rows_of(report(*EVERY.values(), lines=LINES))}
    assert rows["outdated"] == "of another plan"
    assert rows["as-wanted"] == "ok 5min"
    judged = report(*EVERY.values(), lines=LINES).judged(EVERY["outdated"])
    assert (judged and judged.plan_hash, judged and judged.is_current) == (OTHER, False)
    later = (*LINES, line("apply", "as-wanted", 1, result="applied", plan_hash=PLAN))
    last = report(*EVERY.values(), lines=later).judged(EVERY["as-wanted"])
    assert last is not None
    assert not last.is_current, "something was changed since"


def test_a_large_site_is_folded_and_what_differs_stays(capsys: pytest.CaptureFixture[str]) -> None:
    many = [host(f"e{number:03}") for number in range(1, 121)]
    dark = [Standing(host=f"d{number}", answer=Answer.SILENT) for number in (1, 2)]
    status_screen.show(report(*many, *dark, EVERY["half-undone"]))
    lines = capsys.readouterr().out.splitlines()
    assert [one.split()[0] for one in lines[2:5]] == ["X", "X", "+"]
    assert "half-undone" in lines[2]
    assert "d1, d2" in lines[3]
    assert "e[001-120]" in lines[4]
    assert lines[5] == "123 hosts: 121 up, 2 dark"


def test_csv_has_a_row_a_host(capsys: pytest.CaptureFixture[str]) -> None:
    status_screen.show(report(*EVERY.values(), lines=LINES), "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["host"]: row["sign"] for row in rows}["dark"] == "X"
    assert len(rows) == len(EVERY)


def test_watching_ends_with_ctrl_c_and_the_last_code(capsys: pytest.CaptureFixture[str]) -> None:
    looks = iter([report(EVERY["as-wanted"]), report(EVERY["dark"])])
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt

    assert watched(lambda: next(looks), 10, sleep) is Exit.UNREACHABLE
    assert waits == [10, 10]
    out = capsys.readouterr().out
    assert out.count("again every 10 s") == 2
    assert "\x1b" not in out, "no terminal, nothing to clear"


def test_watching_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert hft_here(capsys, "status", "--watch", "5", "--json").code == Exit.BAD_INPUT
    assert hft_here(capsys, "status", "--watch", "0").code == Exit.BAD_INPUT
