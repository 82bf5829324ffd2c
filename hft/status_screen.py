"""`hft status` on a terminal of 80 columns: one line a host, the worst first, and what to run next.

The sign in front says how bad it is without any colour: `X` it does not serve, `!` it needs a person, `~` not
known yet, `+` as wanted. Slow is not dark: a host that took the connection is `~`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hft.host_status import Answer, Standing
from hft.site_report import Report, sentences
from hft.views.names import fold
from hft.views.rows import Form, show_rows
from hft.views.table import show_table
from transport.show import Style, Styled, tell

FOLD_MIN = 20  # hosts; below that each has a row of its own
STATES = {
    Answer.ANSWERED: "up",
    Answer.BUSY: "up, busy",
    Answer.LATE: "no answer yet",
    Answer.CONNECTED: "no answer yet",
    Answer.SILENT: "dark",
    Answer.REFUSED: "dark",
    Answer.NO_LOOK: "cannot look",
    Answer.NOT_ASKED: "not enrolled",
}
HEAD = ("", "host", "state", "plan", "verdict", "to do")
COLOURS: dict[str, Style] = {"X": "alarm", "!": "yellow", "~": "cyan", "+": "green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One host, or several that stand alike; the smaller `rank`, the worse."""

    rank: int
    sign: str
    host: str
    state: str
    plan: str
    verdict: str
    to_do: str

    @property
    def likeness(self) -> tuple[object, ...]:
        """What hosts that are one line have in common."""
        return self.rank, self.sign, self.state, self.plan, self.verdict.rpartition(" ")[0], self.to_do


def show(report: Report, form: Form = "table") -> None:
    """The whole look; as CSV only the rows, one a host."""
    rows = rows_of(report)
    if form == "csv":
        cells = [(one.sign, one.host, one.state, one.plan, one.verdict, one.to_do) for one in rows]
        show_rows(("sign", *HEAD[1:]), cells, form)
        return
    tell(f"site {report.site}, {report.now:%Y-%m-%d %H:%M:%S} UTC")
    shown = _folded(rows) if len(rows) >= FOLD_MIN else rows
    show_table(
        HEAD,
        [
            (Styled(row.sign, COLOURS[row.sign]), row.host, row.state, row.plan, row.verdict, row.to_do)
            for row in shown
        ],
    )
    if len(rows) > 1:
        seen = Counter(row.state for row in rows)
        tell(f"{len(rows)} hosts: {', '.join(f'{count} {state}' for state, count in seen.items())}")
    for sentence in sentences(report):
        tell(f"! {sentence}")  # never broken by us: the command in it is to be copied


def rows_of(report: Report) -> list[Row]:
    """A row for each host, the worst first, else in the order of the inventory."""
    return sorted((_row(report, standing) for standing in report.standings), key=lambda row: row.rank)


def _row(report: Report, standing: Standing) -> Row:
    rank, sign, to_do = _need(report, standing)
    return Row(
        rank=rank,
        sign=sign,
        host=standing.host,
        state=_state(report, standing),
        plan=standing.committed[:8] if standing.committed else "-",
        verdict=_verdict(report, standing),
        to_do=to_do,
    )


def _need(report: Report, standing: Standing) -> tuple[int, str, str]:  # noqa: PLR0911  # one a need
    """How bad it is, its sign, and what to do in a word; the sentence below has the command."""
    if report.not_judged(standing):
        return 50, "~", "run it again"
    if standing.answer is Answer.NOT_ASKED:
        return 60, "~", "enrol"
    if standing.slow and standing.answer is not Answer.SILENT:
        return 40, "~", "wait longer"
    if not standing.reachable:
        return 10, "X", "console, power"
    if not standing.enrolled:
        return 5, "X", "find out who"
    if standing.busy:
        return 70, "~", "wait"
    if standing.is_half_undone:
        return 0, "X", "recover"
    if report.unacknowledged(standing):
        return 20, "!", "acknowledge"
    if standing.unfinished:
        return 25, "!", "apply again"
    return _need_of_plan(report, standing)


def _need_of_plan(report: Report, standing: Standing) -> tuple[int, str, str]:
    last = report.judged(standing)
    if last is not None and last.is_current and last.verdict == "violated":
        return 30, "!", "check again"
    wanted = report.wanted(standing)
    if wanted and standing.committed and wanted != standing.committed:
        return 35, "!", "plan again"
    if not standing.managed or (last is not None and last.is_current):
        return 90, "+", "-"
    return 80, "+", "check" if standing.committed else "-"


def _state(report: Report, standing: Standing) -> str:
    if report.not_judged(standing):
        return "not judged"
    if not standing.reachable:
        return STATES[standing.answer]
    if not standing.managed:
        return "up, unmanaged" if standing.enrolled else "another machine"
    entry = standing.entry if standing.entry not in (None, "good") else ""
    return ", ".join(filter(None, (STATES[standing.answer], entry)))


def _verdict(report: Report, standing: Standing) -> str:
    last = report.judged(standing)
    if last is None:
        return "-"
    return f"{last.verdict.replace('_', ' ')} {_age(last.age_s)}" if last.is_current else "of another plan"


def _folded(rows: Sequence[Row]) -> list[Row]:
    """Hosts that stand alike as one row; of their verdicts the oldest."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.likeness, []).append(row)
    return [_as_one(alike) for alike in groups.values()]


def _as_one(alike: Sequence[Row]) -> Row:
    first = alike[0]
    return Row(
        rank=first.rank,
        sign=first.sign,
        host=fold([row.host for row in alike]),
        state=first.state,
        plan=first.plan,
        verdict=first.verdict,
        to_do=first.to_do,
    )


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"
