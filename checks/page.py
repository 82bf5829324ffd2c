"""The report: one self-contained HTML file that can be mailed, archived, and read in five years.

No script and no external font or image. The templates are ours and come with the package; host text is data:
each value that they show goes through `clean`, which leaves no character in it that is not shown, and is
escaped behind that. Every finding has a row: what no group takes stands in the last one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from checks.cpu_map import Node, nodes_of
from checks.document import counters
from checks.suite import HostResult
from checks.verdict import REASONS, Finding, Verdict

if TYPE_CHECKING:
    import jinja2

ROLES = ("housekeeping", "irq", "ptp", "poll", "engine", "spare")
ORDER = (Verdict.VIOLATED, Verdict.UNVERIFIABLE, Verdict.NOT_APPLICABLE, Verdict.OK)
GROUPS = (
    ("Plan and evidence", ("plan.", "evidence.")),
    ("Measured effect", ("effect.",)),
    ("Invariants", ("cpu.", "rcu.", "irq.", "tasks.", "units.", "time.", "memory.", "boot.")),
    ("Settings of the plan", ("setting.", "arguments.", "kernel.")),
    ("The next boot", ("persist.",)),
    ("Ports", ("port.",)),
    ("Engine", ("engine.",)),
)
REST = "Everything else"
OBSERVED_MAX = 160
WORK = {"spin": "test load", "observe": "the engine", "control": "control (housekeeping)"}
MEANING = {code: words for known in REASONS.values() for code, words in known.items()}

Tally = Sequence[tuple[str, str]]  # verdict, what the badge says


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Findings of one kind, the worst first."""

    title: str
    is_open: bool
    tally: Tally
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The counters of one CPU: widths of bars in percent, and the cells beside them."""

    cpu: int
    work: str
    was: int | None
    now: int
    colour: str
    cells: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPart:
    """All that the page shows of one host."""

    name: str
    verdict: str
    unreachable: str | None
    kernel: str
    plan: str
    cost: str
    tally: Tally
    nodes: Sequence[Node]
    roles: Sequence[str]
    window: str
    counters: Sequence[Row]
    groups: Sequence[Group]


def clean(raw: object) -> str:
    """One line: blanks as spaces, a mark for each character that is not shown.

    A control or format character (bidirectional overrides, zero width, line separators) lets host text pass
    for other text, also in a page without a script (CVE-2021-42574).
    """
    return "".join(" " if c in "\n\r\t" else c if c.isprintable() else "\ufffd" for c in str(raw))


def text(raw: object) -> str:
    """The same as HTML text, as the templates show it."""
    return escape(clean(raw))


def page_of(site: str, results: Sequence[HostResult], about: Mapping[str, str]) -> str:
    """The whole page; ABOUT says how it came to be: version, inventory, window, operator."""
    made = datetime.now(UTC).isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
    verdicts = Counter(result.verdict or "unreachable" for result in results)
    hosts = [_host(result) for result in results]
    worst = {str(verdict): place for place, verdict in enumerate(("unreachable", *ORDER))}
    reasons = sorted({one.reason for result in results for one in result.findings if one.reason})
    return _templates().get_template("page.html.j2").render(
        site=site,
        made=made,
        about=about,
        tally=[(str(verdict), f"{count} {_words(verdict)}") for verdict, count in verdicts.items()],
        index=sorted(hosts, key=lambda one: worst[one.verdict]),
        hosts=hosts,
        reasons=[(name, MEANING.get(name, "not in the list of this release")) for name in reasons],
        observed_max=OBSERVED_MAX,
    )  # fmt: skip


@cache
def _templates() -> jinja2.Environment:
    import jinja2  # only who wants a page pays for it

    def shown(value: object) -> object:
        """What a macro made is made of shown text already."""
        return value if hasattr(value, "__html__") else clean(value)

    return jinja2.Environment(
        loader=jinja2.PackageLoader("checks"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
    )


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")


def _tally(findings: Sequence[Finding]) -> Tally:
    counts = Counter(finding.verdict for finding in findings)
    return [(str(verdict), f"{counts[verdict]} {_words(verdict)}") for verdict in ORDER if counts[verdict]]


def _host(result: HostResult) -> HostPart:
    cpus = result.expected.plan.cpus if result.expected else ()
    used = {one.role for one in cpus}
    rows, window = _counters(result)
    plan = result.expected.plan_hash[:12] if result.expected else "none"
    return HostPart(
        name=result.host,
        verdict=str(result.verdict or "unreachable"),
        unreachable=result.unreachable,
        kernel=result.kernel or "not known",
        plan=f"{plan} ({'committed' if result.tuned else 'not committed'})",
        cost=f"{result.round_trips} round trips, {result.seconds:.0f} s",
        tally=_tally(result.findings),
        nodes=nodes_of(cpus, result.cores, result.layout, _measured(cpus, result.findings)),
        roles=[role for role in ROLES if role in used],
        window=window,
        counters=rows,
        groups=_groups(result.findings),
    )


def _measured(cpus: Sequence[Any], findings: Sequence[Finding]) -> dict[int, Verdict]:
    """CPU -> the worst of what its effect checks said; none where nothing was measured there."""
    found: dict[int, Verdict] = {}
    for one in cpus:
        seen = {finding.verdict for finding in findings if finding.check.startswith(f"effect.cpu{one.cpu}.")}
        worst = next((verdict for verdict in (*ORDER[:2], Verdict.OK) if verdict in seen), None)
        if worst is not None:
            found[one.cpu] = worst
    return found


def _counters(result: HostResult) -> tuple[Sequence[Row], str]:
    now, before = counters(result.measurement), counters(result.untuned)
    if now is None:
        return (), ""
    old = {one["cpu"]: one for one in before["cpus"]} if before else {}
    scale = max(
        (_rate(one, window) for window in (now, before) if window for one in window["cpus"]), default=1.0
    )
    rows = [_counter_row(one, old.get(one["cpu"]), now, before, scale) for one in now["cpus"]]
    said = f", before tuning {before['window_s']:.0f} s" if before else ""
    return rows, f"{now['window_s']:.0f} s window{said}"


def _rate(one: Mapping[str, Any], window: Mapping[str, Any]) -> float:
    return float(one["interrupts"]["LOC"]) / float(window["window_s"] or 1)


def _counter_row(
    one: Mapping[str, Any],
    old: Mapping[str, Any] | None,
    now: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    scale: float,
) -> Row:
    after, was = _rate(one, now), _rate(old, before) if old and before else None
    other = sum(count for row, count in one["interrupts"].items() if row != "LOC")
    cells: Iterable[object] = (
        "-" if was is None else f"{was:.1f}",
        f"{after:.1f}",
        sum(one["devices"].values()),
        other,
        one["involuntary_switches"],
        one["major_faults"],
        "-" if one["gap_max_us"] is None else f"{one['gap_max_us']:.0f} us",
    )
    return Row(
        cpu=one["cpu"],
        work=WORK[one["mode"]],
        was=None if was is None else _width(was, scale),
        now=_width(after, scale),
        colour="housekeeping" if one["mode"] == "control" else "ok" if after < 1 else "violated",
        cells=tuple(cells),
    )


def _width(rate: float, scale: float) -> int:
    return round(100 * math.log1p(rate) / math.log1p(scale)) if scale > 0 else 0


def _groups(findings: Sequence[Finding]) -> Sequence[Group]:
    """Every finding once: in the first group that takes it, or in the last."""
    taken: dict[str, list[Finding]] = {title: [] for title in (*(name for name, _ in GROUPS), REST)}
    for finding in findings:
        title = next((title for title, prefixes in GROUPS if finding.check.startswith(prefixes)), REST)
        taken[title].append(finding)
    return [
        Group(
            title=title,
            is_open=any(one.verdict in ORDER[:2] for one in mine),
            tally=_tally(mine),
            findings=sorted(mine, key=lambda one: ORDER.index(one.verdict)),
        )
        for title, mine in taken.items()
        if mine
    ]
