"""Alerts on the trading engine, by its page, and the burn of a session's budget."""

from __future__ import annotations

from monitoring.alert import Alert, Severity, everywhere
from monitoring.condition import Absent, Burn, Gap, Growth, Level

PAGE, TICKET = Severity.PAGE, Severity.TICKET
SLOT = {"slot": "a"}
HALTED = 5  # engine.contract.states.NUMBER; a test holds them equal
SPAN = "hft_engine_user_span_seconds"
# The budget: 99.9 % of orders within 10 us from the receive stamp to the return of send. `le` is a string:
# another spelling of the same number selects nothing, in silence.
BUDGET_LE = "1e-05"
BUDGET_SHARE = 0.001

ENGINE = (
    Alert(
        name="EngineAbsent",
        condition=Absent(
            metric="hft_engine_state", witness="hft_slot_deployed", on=("host", "slot"), labels=SLOT
        ),
        thresholds=everywhere(1),
        for_s=2,
        severity=PAGE,
        summary="slot {{ $labels.slot }} has a release and no running engine",
        action="`systemctl status hft-engine@SLOT` on the host: its exit code says why.",
        fault="kill -9 of the engine",
        muted_by_deploy=True,
    ),
    Alert(
        name="EngineFrozen",
        condition=Level(metric="hft_engine_heartbeat_age_seconds", labels=SLOT),
        thresholds=everywhere(2),
        step=0.001,
        severity=PAGE,
        summary="the hot loop of slot {{ $labels.slot }} has not turned for more than 2 s",
        action="The gateway's silence clock has decided already; look at the epoch, then at the host.",
        fault="SIGSTOP to the engine",
    ),
    Alert(
        name="KillLatched",
        condition=Level(metric="hft_engine_latched", op="==", labels=SLOT),
        thresholds=everywhere(1),
        severity=PAGE,
        summary="the kill latch of slot {{ $labels.slot }} is set",
        action="Somebody or a limit stopped trading. Find out who before anything is unlatched.",
        fault="SIGUSR1 to the engine",
    ),
    Alert(
        name="EngineHalted",
        condition=Level(metric="hft_engine_state", op="==", labels=SLOT),
        thresholds=everywhere(HALTED),
        for_s=2,  # a latch that is set says it first, and mutes this
        severity=PAGE,
        summary="the engine of slot {{ $labels.slot }} is HALTED",
        action="It sends cancels only. Its journal has the trigger.",
        fault="an unreadable latch",
    ),
    Alert(
        name="FeedGaps",
        condition=Growth(metric="hft_engine_feed_gaps_total", window_s=60, labels=SLOT),
        thresholds=everywhere(0),
        severity=PAGE,
        summary="packets were missing on both lines of slot {{ $labels.slot }}",
        action="`NicDrops` beside it: this host; alone: the venue or the network before both.",
        fault="drop one packet on both lines",
    ),
    Alert(
        name="RiskRefusals",
        condition=Growth(metric="hft_engine_risk_refused_total", window_s=60, labels=SLOT),
        thresholds=everywhere(50),
        severity=TICKET,
        summary="risk checks of slot {{ $labels.slot }} refuse intents",
        action="A strategy against its limits; the engine's journal has the code of each refusal.",
        fault="a limit below what the strategy does",
    ),
    Alert(
        name="JournalBehind",
        condition=Gap(
            metric="hft_engine_input_seq",
            other="hft_engine_journal_durable_seq",
            base=1_000_000,
            labels=SLOT,
        ),
        thresholds=everywhere(100_000),
        for_s=5,
        severity=PAGE,
        summary="the journal of slot {{ $labels.slot }} is far behind the engine",
        action="A crash now loses that much: look at the disk, hand over if it does not catch up.",
        fault="a slow disk",
    ),
)


def _burn(name: str, *, windows_s: tuple[int, int], factor: float, severity: Severity, action: str) -> Alert:
    long_s, short_s = windows_s
    return Alert(
        name=name,
        condition=Burn(
            histogram=SPAN, le=BUDGET_LE, long_s=long_s, short_s=short_s, floor_per_s=10, labels=SLOT
        ),
        thresholds=everywhere(round(factor * BUDGET_SHARE, 6)),
        step=0.00002,
        severity=severity,
        summary="orders of slot {{ $labels.slot }} burn their latency budget "
        f"{factor:g} times as fast as a session allows",
        action=action,
        fault="make a share of orders slow",
    )


# A session has 6.5 hours, not 30 days: at 50 times the rate its budget is gone in 8 minutes.
BURNS = (
    _burn(
        "LatencyBurnFast",
        windows_s=(300, 30),
        factor=50,
        severity=PAGE,
        action="Compare with the last release; `hft check --limit HOST` for what disturbs its CPUs.",
    ),
    _burn(
        "LatencyBurnSlow",
        windows_s=(1800, 300),
        factor=6,
        severity=TICKET,
        action="Over the session it will not hold: look at it before the next open.",
    ),
)
ENGINE_ALERTS = (*ENGINE, *BURNS)
