"""The report: one self-contained HTML file that can be mailed, archived, and read in five years.

No script and no external font or image. Host text is data: `text` escapes it and leaves no character in it
that is not shown. Every finding has a row: what no group takes stands in the last one.
"""

from __future__ import annotations

import importlib.resources
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from checks.document import counters
from checks.suite import HostResult
from checks.verdict import Finding, Verdict

ROLES = ("housekeeping", "irq", "ptp", "poll", "engine", "spare")
ORDER = (Verdict.VIOLATED, Verdict.UNVERIFIABLE, Verdict.NOT_APPLICABLE, Verdict.OK)
GROUPS = (
    ("Plan and evidence", ("plan.", "evidence.")),
    ("Measured effect", ("effect.",)),
    ("Invariants", ("cpu.", "rcu.", "irq.", "tasks.", "units.", "time.", "memory.", "boot.")),
    ("Settings of the plan", ("setting.", "arguments.", "kernel.")),
    ("The next boot", ("persist.",)),
    ("Engine", ("engine.",)),
)
REST = "Everything else"
OBSERVED_MAX = 160


def text(raw: object) -> str:
    """One line of HTML text: escaped, blanks as spaces, a mark for each character that is not shown.

    A control or format character (bidirectional overrides, zero width, line separators) lets host text pass
    for other text, also in a page without a script (CVE-2021-42574).
    """
    line = "".join(" " if c in "\n\r\t" else c if c.isprintable() else "\ufffd" for c in str(raw))
    return escape(line)


def page_of(site: str, results: Sequence[HostResult], about: Mapping[str, str]) -> str:
    """The whole page; ABOUT says how it came to be: version, inventory, window, operator."""
    style = importlib.resources.files("checks").joinpath("page.css").read_text()
    made = datetime.now(UTC).isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
    verdicts = Counter(result.verdict or "unreachable" for result in results)
    tally = "".join(_badge(str(verdict), f"{count} {_words(verdict)}") for verdict, count in verdicts.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>hft check: {text(site)}</title><style>{style}</style></head><body><main>"
        f'<div class="head"><div><h1>Site {text(site)}</h1><p class="soft">hft check, {made} UTC, '
        f'{len(results)} host(s)</p>{_about(about)}</div><div class="tally">{tally}</div></div>'
        f"{_index(results)}"
        f"{''.join(_host(result) for result in results)}"
        "<footer>Counts are per measured window. What a verdict or reason means, and the command for it: "
        "docs/verdicts.md.</footer></main></body></html>\n"
    )


def _about(about: Mapping[str, str]) -> str:
    said = ", ".join(f"{text(key)} <code>{text(value)}</code>" for key, value in about.items())
    return f'<p class="soft">{said}</p>' if said else ""


def _index(results: Sequence[HostResult]) -> str:
    """Every host with its verdict, the worst first, each a way to its section."""
    if len(results) < 2:
        return ""
    worst = {str(verdict): place for place, verdict in enumerate(("unreachable", *ORDER))}
    rows = sorted(results, key=lambda result: worst[str(result.verdict or "unreachable")])
    cells = "".join(
        f'<li>{_badge(str(one.verdict or "unreachable"))} <a href="#{name}">{name}</a></li>'
        for one in rows
        for name in (text(one.host),)
    )
    return f'<section class="index"><h2>Hosts</h2><ul>{cells}</ul></section>'


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")


def _badge(verdict: str, said: str | None = None) -> str:
    return f'<span class="badge {text(verdict)}">{text(said or _words(verdict))}</span>'


def _host(result: HostResult) -> str:
    counts = Counter(finding.verdict for finding in result.findings)
    badges = "".join(_badge(v, f"{counts[v]} {_words(v)}") for v in ORDER if counts[v])
    plan = result.expected.plan_hash[:12] if result.expected else "none"
    state = "committed" if result.tuned else "not committed"
    silent = (
        "" if result.unreachable is None else f"<p>{_badge('unreachable')} {text(result.unreachable)}</p>"
    )
    return (
        f'<section id="{text(result.host)}"><div class="head"><h2>{text(result.host)}</h2>'
        f'{_badge(str(result.verdict or "unreachable"))}<div class="tally">{badges}</div></div>{silent}'
        f'<p class="soft">kernel <code>{text(result.kernel or "not known")}</code>, '
        f"plan <code>{text(plan)}</code> ({state}), "
        f"{result.round_trips} round trips, {result.seconds:.0f} s</p>"
        f"{_map(result)}{_counters(result)}{_groups(result.findings)}</section>"
    )


def _map(result: HostResult) -> str:
    """Nodes, cores and CPUs with their roles; the dot shows whether the CPU's effect checks passed."""
    if result.expected is None:
        return ""
    decisions = {one.cpu: one for one in result.expected.plan.cpus}
    cores = {
        cpu: tuple(sorted(result.cores.get(cpu, {cpu}) & decisions.keys())) or (cpu,) for cpu in decisions
    }
    nodes: dict[int, dict[tuple[int, ...], None]] = {}
    for cpu, one in sorted(decisions.items()):
        nodes.setdefault(one.node, {})[cores[cpu]] = None
    drawn = []
    for node, members in sorted(nodes.items()):
        boxes = "".join(
            f'<div class="core">{"".join(_cpu(result, decisions[cpu]) for cpu in core)}</div>'
            for core in members
        )
        title = f"NUMA node {node}" if node >= 0 else "NUMA node not known"
        drawn.append(f'<div class="node"><span>{title}</span><div class="cores">{boxes}</div></div>')
    used = {one.role for one in decisions.values()}
    legend = "".join(
        f'<span><b class="{text(role)}"></b>{text(role)}</span>' for role in ROLES if role in used
    )
    return f'<h3>CPUs</h3><div class="map">{"".join(drawn)}</div><div class="legend">{legend}</div>'


def _cpu(result: HostResult, decision: Any) -> str:
    mine = [f for f in result.findings if f.check.startswith(f"effect.cpu{decision.cpu}.")]
    seen = {finding.verdict for finding in mine}
    dot = next((f'<u class="{verdict}"></u>' for verdict in (*ORDER[:2], Verdict.OK) if verdict in seen), "")
    title = text(f"CPU {decision.cpu}: {decision.why}")
    inside = f"<b>{decision.cpu}</b><i>{text(decision.role)}</i>{dot}"
    return f'<div class="cpu {text(decision.role)}" title="{title}">{inside}</div>'


def _counters(result: HostResult) -> str:
    now, before = counters(result.measurement), counters(result.untuned)
    if now is None:
        return ""
    old = {one["cpu"]: one for one in before["cpus"]} if before else {}
    scale = max(
        (_rate(one, window) for window in (now, before) if window for one in window["cpus"]), default=1.0
    )
    rows = "".join(_counter_row(one, old.get(one["cpu"]), now, before, scale) for one in now["cpus"])
    window = f"{now['window_s']:.0f} s window" + (
        f", before tuning {before['window_s']:.0f} s" if before else ""
    )
    return (
        f'<h3>Interference per CPU <span class="soft">({window}; bars are local timer interrupts per second, '
        "logarithmic: grey before, coloured now)</span></h3>"
        '<div class="wrap"><table><tr><th>CPU</th><th>work</th>'
        '<th class="bars">timer interrupts</th><th class="num">before /s</th><th class="num">now /s</th>'
        '<th class="num">device</th><th class="num">from CPUs</th><th class="num">preempted</th>'
        f'<th class="num">major faults</th><th class="num">longest pause</th></tr>{rows}</table></div>'
    )


def _rate(one: Mapping[str, Any], window: Mapping[str, Any]) -> float:
    return float(one["interrupts"]["LOC"]) / float(window["window_s"] or 1)


def _counter_row(
    one: Mapping[str, Any],
    old: Mapping[str, Any] | None,
    now: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    scale: float,
) -> str:
    after, was = _rate(one, now), _rate(old, before) if old and before else None
    colour = "housekeeping" if one["mode"] == "control" else "ok" if after < 1 else "violated"
    bars = "" if was is None else f'<div class="bar was" style="width:{_width(was, scale)}%"></div>'
    bars += f'<div class="bar {colour}" style="width:{_width(after, scale)}%"></div>'
    work = {"spin": "test load", "observe": "the engine", "control": "control (housekeeping)"}[one["mode"]]
    other = sum(count for row, count in one["interrupts"].items() if row != "LOC")
    pause = "-" if one["gap_max_us"] is None else f"{one['gap_max_us']:.0f} us"
    cells: Iterable[object] = (
        "-" if was is None else f"{was:.1f}",
        f"{after:.1f}",
        sum(one["devices"].values()),
        other,
        one["involuntary_switches"],
        one["major_faults"],
        pause,
    )
    numbers = "".join(f'<td class="num">{text(cell)}</td>' for cell in cells)
    return f'<tr><td><b>{one["cpu"]}</b></td><td>{work}</td><td class="bars">{bars}</td>{numbers}</tr>'


def _width(rate: float, scale: float) -> int:
    return round(100 * math.log1p(rate) / math.log1p(scale)) if scale > 0 else 0


def _groups(findings: Sequence[Finding]) -> str:
    """Every finding once: in the first group that takes it, or in the last."""
    taken: dict[str, list[Finding]] = {title: [] for title in (*(name for name, _ in GROUPS), REST)}
    for finding in findings:
        title = next((title for title, prefixes in GROUPS if finding.check.startswith(prefixes)), REST)
        taken[title].append(finding)
    return "".join(_group(title, mine) for title, mine in taken.items() if mine)


def _group(title: str, mine: list[Finding]) -> str:
    mine.sort(key=lambda finding: ORDER.index(finding.verdict))
    bad = any(finding.verdict in ORDER[:2] for finding in mine)
    counts = Counter(finding.verdict for finding in mine)
    tally = " ".join(_badge(v, f"{counts[v]} {_words(v)}") for v in ORDER if counts[v])
    rows = "".join(_row(finding) for finding in mine)
    return (
        f"<details{' open' if bad else ''}><summary>{text(title)} {tally}</summary>"
        '<div class="wrap"><table><tr><th></th><th>check</th><th>what was seen, and why it matters</th>'
        f"<th>expected</th><th>observed</th></tr>{rows}</table></div></details>"
    )


def _row(finding: Finding) -> str:
    reason = f'<span class="reason">{text(finding.reason)}</span>' if finding.reason else ""
    why = f'<span class="why">{text(finding.why)}</span>' if finding.why else ""
    seen, more = finding.observed[:OBSERVED_MAX], " [cut]" if len(finding.observed) > OBSERVED_MAX else ""
    return (
        f'<tr><td>{_badge(finding.verdict)}{reason}</td><td class="what mono">{text(finding.check)}</td>'
        f'<td class="msg">{text(finding.message)}{why}</td><td class="mono">{text(finding.expected)}</td>'
        f'<td class="mono">{text(seen)}{more}</td></tr>'
    )
