"""The report for people: figures with their spread, both ends of every run, then the goals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.engine.books import Books
from bench.engine.latency import Hop, Latency, pooled_by_label, relay_spread
from bench.engine.load_report import Histogram, figures
from bench.engine.results import SHARES, Results, goals
from bench.engine.results import spans as spans_of
from bench.engine.rig import Ran
from bench.engine.risk import Risk
from bench.engine.search import found
from bench.engine.sustained import Sustained, arrived
from bench.engine.verdict import BenchOutcome, Goal

_COLOUR = {BenchOutcome.OK: "green", BenchOutcome.MISSED: "red", BenchOutcome.INCONCLUSIVE: "yellow"}


def print_report(results: Results, console: Console) -> None:
    """Everything that was measured, and what is known about each goal."""
    if results.books:
        console.print(_rates_table(results.books))
        for line in _beside_lines(results.books):
            console.print(line, soft_wrap=True, highlight=False)
    if results.risk:
        console.print(_risk_table(results.risk))
    if results.sustained:
        for line in _sustained_lines(results.sustained):
            console.print(line, soft_wrap=True, highlight=False)
    if results.latency:
        console.print(_latency_table("engine beside relay", results.latency.runs))
        for line in _latency_lines(results.latency, results):
            console.print(line, soft_wrap=True, highlight=False)
    if results.hop:
        console.print(_latency_table("engine behind its gateway beside engine", results.hop.runs))
        for line in _hop_lines(results.hop):
            console.print(line, soft_wrap=True, highlight=False)
    judged = goals(results)
    console.print(_goal_table(judged))
    for line in _open_lines(judged):
        console.print(line, soft_wrap=True, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right")
    return table


def _rates_table(books: Books) -> Table:
    size = books.rates[0].size
    title = (
        f"Book of {size.symbols:,} symbols, {size.live:,} live orders, {size.messages:,} messages, none "
        "twice; M msg/s, median (least to most)"
    )
    table = _table(title, "stream", "runs", "decode", "book", "decode and book", "taken by others")
    for rates in books.rates:
        how = f"{rates.mix}, hashed references, {'prefetch' if rates.prefetch else 'no prefetch'}"
        stages = [rates.stages[name].millions() for name in ("decode", "book", "decode+book")]
        table.add_row(how, str(rates.stages["book"].runs), *stages, f"{rates.stolen_max:.1%}")
    return table


def _risk_table(risk: Risk) -> Table:
    table = _table(
        f"Risk rules, {risk.size.calls:,} calls, none refused; ns a call, median (least to most)",
        "open orders", "judge", "its p99", "into the tables and out",
    )  # fmt: skip
    for row in risk.rows:
        table.add_row(f"{row.open:,}", row.judge_ns.plain(), f"{row.judge_p99_ns:.1f}", row.book_ns.plain())
    return table


def _beside_lines(books: Books) -> Iterator[str]:
    main = books.rates[0]
    mix = ", ".join(f"{name} {share:.1f} %" for name, share in main.types.items())
    yield f"[bold]mix[/bold]  {mix}; {main.live_at_end:,} orders live at the end"
    yield f"[bold]digest[/bold]  {main.digest} after every run, equal to the independent reconstruction's"
    for one in books.beside:
        yield (
            f"[bold]beside {one.name} {one.version}[/bold]  {one.stage}: ours {one.ours.millions()}, theirs "
            f"{one.theirs.median / 1e6:.3f} M msg/s on the same messages: {one.ratio:,.0f}x"
        )


def _sustained_lines(sustained: Sustained) -> Iterator[str]:
    seen, ran = arrived(sustained.ran), sustained.ran
    yield (
        f"[bold]sustained, generator[/bold]  {seen.messages:,} messages in {seen.duration_s:.1f} s "
        f"({seen.messages_per_s / 1e6:.2f} M/s), {seen.datagrams:,} datagrams on each of two lines, "
        f"{seen.bytes / max(seen.datagrams, 1):,.0f} B on average, {seen.datagram_bytes_max:,} B at most; "
        f"latest trigger {ran.run.backlog_ns_max / 1e6:.2f} ms late; {seen.answered:,} orders answered "
        f"({seen.answered_per_s:,.0f}/s), {ran.run.rerequests} re-requests, "
        f"{ran.run.receiver_drops} datagrams overflowed"
    )
    if ran.engine is not None:
        count = ran.engine.counters
        yield (
            f"[bold]sustained, engine[/bold]  {count['engine_feed_messages_total']:,} messages, at message "
            f"{ran.engine.next_sequence:,} (generator {ran.raw['next_sequence']:,}); "
            f"{count['engine_orders_sent_total']:,} orders, {count['engine_executions_total']:,} executions; "
            f"{count['engine_feed_gaps_total']} gaps, {count['engine_feed_requests_total']} re-requests, "
            f"{count['engine_journal_stalls_total']} stalls of the journal"
        )
    if ran.run.latency.total:
        yield f"[bold]sustained, latency[/bold]  {_percentiles(ran.run.latency)}"
    best, limit = found(sustained.trials)
    if sustained.trials:
        yield f"[bold]highest rate without loss[/bold]  {best / 1e6:.2f} M msg/s ({limit})"


def _percentiles(histogram: Histogram) -> str:
    seen = figures(histogram)
    return (
        f"p50 {seen.p50_ns / 1e3:.2f}, p99 {seen.p99_ns / 1e3:.2f}, p99.9 {seen.p999_ns / 1e3:.2f}, "
        f"max {seen.max_ns / 1e3:.2f} us from intended time; {seen.count:,} orders"
    )


def _latency_table(title: str, runs: Sequence[Ran]) -> Table:
    table = _table(
        f"Latency from intended time, {title}; us", "program", "p50", "p99", "p99.9", "max", "orders"
    )
    for label, histogram in pooled_by_label(runs).items():
        seen = figures(histogram)
        shown = (f"{value / 1e3:.2f}" for value in (seen.p50_ns, seen.p99_ns, seen.p999_ns, seen.max_ns))
        table.add_row(label, *shown, f"{seen.count:,}")
    return table


def _latency_lines(latency: Latency, results: Results) -> Iterator[str]:
    apart = relay_spread(latency.runs)
    if apart is not None:
        yield f"[bold]relay against relay[/bold]  {apart:.1%} apart at p99 or p99.9"
    for name, span in spans_of(results).items():
        shown = ", ".join(f"{share} {span.at_share(at) / 1e3:.2f}" for share, at in SHARES.items())
        yield f"[bold]{name}[/bold]  {shown} us; {span.total:,} orders, the engine's own histogram"


def _hop_lines(hop: Hop) -> Iterator[str]:
    yield (
        f"[bold]gateway hop[/bold]  p50 {hop.p50_ns / 1e3:+.2f} us, p99 {hop.p99_ns / 1e3:+.2f} us "
        f"(median of {len(hop.runs) // 2} pairs)"
    )
    inside = [ran.hop for ran in hop.runs if ran.hop]
    if inside:
        told = ", ".join(
            f"{way.replace('_', ' ')} p50 {seen['p50_ns'] / 1e3:.2f}, p99 {seen['p99_ns'] / 1e3:.2f} us"
            for way, seen in inside[-1].items()
        )
        yield f"[bold]inside the gateway[/bold]  {told}, its own histograms of the last run"


def _goal_table(judged: Sequence[Goal]) -> Table:
    table = Table(title="Goals", title_justify="left", title_style="bold")
    for name in ("what", "goal", "seen", ""):
        table.add_column(name)
    for goal in judged:
        verdict = f"[{_COLOUR[goal.verdict]}]{goal.verdict.value}[/]"
        table.add_row(goal.what, goal.wanted, escape(goal.seen), verdict)
    return table


def _open_lines(judged: Sequence[Goal]) -> Iterator[str]:
    """Each reason once, with the goals that it leaves open."""
    for why in dict.fromkeys(goal.why for goal in judged if goal.why):
        left = ", ".join(goal.what for goal in judged if goal.why == why)
        yield f"[yellow]INCONCLUSIVE[/]  {escape(why)}: {left}"
