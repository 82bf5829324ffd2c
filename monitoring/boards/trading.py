"""Boards of what trades: latency by release, who holds the epoch, kill latches."""

from __future__ import annotations

from monitoring.alerts_engine import BUDGET_LE, BUDGET_SHARE, SPAN
from monitoring.boards.panel import (
    COLUMNS,
    HOST,
    STEP,
    Board,
    Level,
    Limit,
    Panel,
    Query,
    Shape,
    growth,
    last,
    limits_of,
    rate,
    worst,
)

RELEASE = "hft_slot_release_info"
LAST = "hft_engine_user_span_last_seconds"
BUDGET = Limit(value=float(BUDGET_LE), text="budget")
# A release that was not there a step ago.
DEPLOYS = Query(
    expression=f"{RELEASE}{{{HOST}}} unless {RELEASE}{{{HOST}}} offset {STEP}",
    metrics=(RELEASE,),
    legend="{{host}} {{slot}} runs {{release}}",
)
# engine.contract.states.NUMBER; a test holds them equal.
ENGINE_STATES = {
    0: ("INIT", Level.PLAIN),
    1: ("SYNCING", Level.WARN),
    2: ("STANDBY", Level.PLAIN),
    3: ("ACTIVE", Level.OK),
    4: ("REDUCING", Level.WARN),
    5: ("HALTED", Level.BAD),
    6: ("DRAINING", Level.WARN),
    7: ("STOPPED", Level.BAD),
}
ACTIVE_STATES = {0: ("standby", Level.PLAIN), 1: ("active", Level.OK)}
LATCH_STATES = {0: ("clear", Level.OK), 1: ("latched", Level.BAD)}


def _spans(quantile: str, name: str) -> Query:
    """The worst look within each step, by release."""
    span = f'max_over_time({LAST}{{{HOST},quantile="{quantile}"}}[{STEP}])'
    joined = f"{span} * on (host, slot) group_left (release) {RELEASE}{{{HOST}}}"
    return Query(
        expression=f"max by (host, slot, release) ({joined})",
        metrics=(LAST, RELEASE),
        legend=f"{{{{host}}}} {{{{slot}}}} {{{{release}}}} {name}",
    )


def _beyond() -> Query:
    """The share of orders that took longer than the budget."""
    good = f'sum by (host, slot) (rate({SPAN}_bucket{{{HOST},le="{BUDGET_LE}"}}[{STEP}]))'
    count = f"sum by (host, slot) (rate({SPAN}_count{{{HOST}}}[{STEP}]))"
    return Query(expression=f"1 - {good} / {count}", metrics=(SPAN,), legend="{{host}} {{slot}}")


LATENCY = Board(
    uid="hft-latency",
    title="Latency",
    description="Tick-to-trade inside the host, by release, against its budget.",
    marks=(DEPLOYS,),
    panels=(
        Panel(
            title="Median and p99, by release",
            shape=Shape.LINES,
            unit="s",
            description="From the receive stamp to the return of send: the worst second within each step.",
            queries=(_spans("0.5", "p50"), _spans("0.99", "p99")),
            limits=(BUDGET,),
            width=COLUMNS,
        ),
        Panel(
            title="p99.9 and maximum, by release",
            shape=Shape.LINES,
            unit="s",
            description="The tail: the worst second within each step, so that a single slow order shows.",
            queries=(_spans("0.999", "p99.9"), _spans("1", "maximum")),
            limits=(BUDGET,),
            width=COLUMNS,
            alerts=("LatencyBurnFast", "LatencyBurnSlow"),
        ),
        Panel(
            title="Orders beyond the budget",
            shape=Shape.LINES,
            unit="share",
            description="Share of orders that took longer than the budget; the line is what a "
            "session allows.",
            queries=(_beyond(),),
            limits=(Limit(value=BUDGET_SHARE, text="of a session"),),
            alerts=("LatencyBurnFast", "LatencyBurnSlow"),
        ),
        Panel(
            title="Orders",
            shape=Shape.LINES,
            unit="1/s",
            description="Orders that each engine wrote to the gateway: a share of few says little.",
            queries=(rate("hft_engine_orders_sent_total", by=("host", "slot"), legend="{{host}} {{slot}}"),),
        ),
        Panel(
            title="Intents that risk refused",
            shape=Shape.LINES,
            unit="1",
            description="Within a step; the engine's journal has the code of each.",
            queries=(
                growth("hft_engine_risk_refused_total", by=("host", "slot"), legend="{{host}} {{slot}}"),
            ),
            alerts=("RiskRefusals",),
        ),
    ),
)
HA = Board(
    uid="hft-ha",
    title="Failover",
    description="Who holds which epoch since when, and whether the others could take over.",
    marks=(DEPLOYS,),
    panels=(
        Panel(
            title="Epochs",
            shape=Shape.LINES,
            unit="1",
            description="The highest epoch of each gateway, which decides, and the one each engine "
            "holds, 0 for none.",
            queries=(
                last("hft_gateway_epoch", legend="{{host}} gateway"),
                last("hft_engine_epoch", legend="{{host}} {{slot}}"),
            ),
            width=COLUMNS,
            alerts=("GatewayAbsent", "EpochNotDurable"),
        ),
        Panel(
            title="Epochs over time",
            shape=Shape.TIMELINE,
            unit="1",
            description="A colour for each epoch of each gateway: where it changes, somebody was fenced in.",
            queries=(last("hft_gateway_epoch", legend="{{host}} gateway"),),
            width=COLUMNS,
        ),
        Panel(
            title="Gateways that log in at the venue",
            shape=Shape.TIMELINE,
            unit="state",
            description="Of a pair one is active; a standby logs in only after it was told to.",
            queries=(last("hft_gateway_active", legend="{{host}} gateway"),),
            states=ACTIVE_STATES,
        ),
        Panel(
            title="Connections of the holder",
            shape=Shape.LINES,
            unit="1",
            description="Engine connections that claimed each gateway's highest epoch: none means "
            "nobody trades.",
            queries=(last("hft_gateway_holders", legend="{{host}} gateway"),),
        ),
        Panel(
            title="Accounts not logged in at the venue",
            shape=Shape.LINES,
            unit="1",
            description="Accounts of each gateway less those whose session at the venue is ready.",
            queries=(
                Query(
                    expression=f"hft_gateway_accounts{{{HOST}}} - hft_gateway_accounts_ready{{{HOST}}}",
                    metrics=("hft_gateway_accounts", "hft_gateway_accounts_ready"),
                    legend="{{host}} gateway",
                ),
            ),
        ),
        Panel(
            title="Orders through the gateways",
            shape=Shape.LINES,
            unit="1/s",
            description="Messages forwarded to the venue, and what was refused, for whatever reason.",
            queries=(
                rate("hft_gateway_forwarded_total", by=("host",), legend="{{host}} forwarded"),
                rate("hft_gateway_refused_total", by=("host",), legend="{{host}} refused"),
            ),
        ),
        Panel(
            title="Refused as old",
            shape=Shape.LINES,
            unit="1",
            description="Messages of a fenced epoch, and orders that had waited too long, within a step.",
            queries=(
                growth("hft_gateway_refused_stale_epoch_total", by=("host",), legend="{{host}} stale epoch"),
                growth("hft_gateway_refused_order_old_total", by=("host",), legend="{{host}} waited"),
            ),
            alerts=("StaleEpoch",),
        ),
        Panel(
            title="Open orders at the venue",
            shape=Shape.LINES,
            unit="1",
            description="As each gateway counts them; a kill or a fence brings them down.",
            queries=(last("hft_gateway_open_orders", legend="{{host}} gateway"),),
        ),
        Panel(
            title="States of the engines",
            shape=Shape.TIMELINE,
            unit="state",
            description="What each engine says that it does; a gap is an engine that does not run.",
            queries=(last("hft_engine_state", legend="{{host}} {{slot}}"),),
            states=ENGINE_STATES,
            width=COLUMNS,
            alerts=("EngineAbsent", "EngineHalted"),
        ),
        Panel(
            title="Stillness of hot loops",
            shape=Shape.LINES,
            unit="s",
            description="Seconds since each hot loop turned. The gateway's silence clock decides "
            "long before.",
            queries=(
                worst("hft_engine_heartbeat_age_seconds", by=("host", "slot"), legend="{{host}} {{slot}}"),
            ),
            limits=limits_of("EngineFrozen"),
            alerts=("EngineFrozen",),
        ),
        Panel(
            title="Inputs that are not on disk yet",
            shape=Shape.LINES,
            unit="1",
            description="Inputs of the core less those that its journal knows on disk: what a crash "
            "would lose.",
            queries=(
                Query(
                    expression=f"hft_engine_input_seq{{{HOST}}} - hft_engine_journal_durable_seq{{{HOST}}}",
                    metrics=("hft_engine_input_seq", "hft_engine_journal_durable_seq"),
                    legend="{{host}} {{slot}}",
                ),
            ),
            limits=limits_of("JournalBehind"),
            alerts=("JournalBehind",),
        ),
    ),
)
KILL = Board(
    uid="hft-kill",
    title="Kill switch",
    description="What is latched, where and since when. Nothing here can release a latch.",
    panels=(
        Panel(
            title="Kill latches of the engines",
            shape=Shape.TIMELINE,
            unit="state",
            description="The latch of each engine, as its own page says.",
            queries=(last("hft_engine_latched", legend="{{host}} {{slot}}"),),
            states=LATCH_STATES,
            width=COLUMNS,
            alerts=("KillLatched",),
        ),
        Panel(
            title="Kill latches of the gateways",
            shape=Shape.LINES,
            unit="1",
            description="Entries in each gateway's latch: none is clear; the gateway stops orders by them.",
            queries=(last("hft_gateway_latches", legend="{{host}} gateway"),),
            alerts=("GatewayLatched",),
        ),
        Panel(
            title="What latches stopped",
            shape=Shape.LINES,
            unit="1",
            description="Orders that a gateway refused because of a latch, within a step; cancels "
            "always pass.",
            queries=(growth("hft_gateway_refused_latched_total", by=("host",), legend="{{host}} gateway"),),
        ),
        Panel(
            title="Engines now",
            shape=Shape.TILES,
            unit="state",
            description="The state of each engine now.",
            queries=(last("hft_engine_state", legend="{{host}} {{slot}}"),),
            states=ENGINE_STATES,
            width=COLUMNS,
            alerts=("EngineHalted",),
        ),
    ),
)
