"""Alerts on the order gateway, by its page: it decides who trades, so its own state is looked at first."""

from __future__ import annotations

from monitoring.alert import Alert, Severity, everywhere
from monitoring.condition import Absent, Growth, Level

PAGE, TICKET = Severity.PAGE, Severity.TICKET

GATEWAY_ALERTS = (
    Alert(
        name="GatewayAbsent",
        condition=Absent(metric="hft_gateway_epoch", witness="hft_gateway_deployed", on=("host",)),
        thresholds=everywhere(1),
        for_s=2,
        severity=PAGE,
        summary="a gateway is deployed and its page says that none runs",
        action="No order leaves by it: `hft failover status`. Without `metrics_page` it is not "
        "watched at all.",
        fault="kill -9 of the gateway",
        muted_by_deploy=True,
    ),
    Alert(
        name="GatewayFrozen",
        condition=Level(metric="hft_gateway_heartbeat_age_seconds"),
        thresholds=everywhere(2),
        step=0.001,
        severity=PAGE,
        summary="the gateway's loop has not turned for more than 2 s",
        action="It forwards nothing, cancels neither: `hft failover status`, then `hft failover kill`.",
        fault="SIGSTOP to the gateway",
    ),
    Alert(
        name="GatewayLatched",
        condition=Level(metric="hft_gateway_latches"),
        thresholds=everywhere(0),
        severity=PAGE,
        summary="the kill latch of the gateway is set",
        action="`hft failover status` names scope, reason and who set it. Find out before anything "
        "is cleared.",
        fault="`hft failover kill`",
    ),
    Alert(
        name="StaleEpoch",
        condition=Growth(metric="hft_gateway_refused_stale_epoch_total", window_s=60),
        thresholds=everywhere(0),
        severity=PAGE,
        summary="the gateway refused something of an older epoch",
        action="The fence holds: an old holder still sends, or somebody fences with an old number. "
        "`hft failover status` names both; the gateway's log has the line.",
        fault="orders of an engine that was fenced",
    ),
    Alert(
        name="EpochNotDurable",
        condition=Level(metric="hft_gateway_epoch_durable", op="=="),
        thresholds=everywhere(0),
        for_s=1,
        severity=PAGE,
        summary="a fence could not be written to the gateway's disk",
        action="It blocks older epochs and allows no new one: look at the disk of its state directory.",
        fault="a disk that refuses writes",
    ),
    Alert(
        name="LatchNotDurable",
        condition=Level(metric="hft_gateway_latch_durable", op="=="),
        thresholds=everywhere(0),
        for_s=1,
        severity=PAGE,
        summary="a kill latch is set in memory and not on the gateway's disk",
        action="Do not restart the gateway: look at the disk of its state directory.",
        fault="a disk that refuses writes",
    ),
    Alert(
        name="GatewayWithoutLimits",
        condition=Level(metric="hft_gateway_limits_in_force", op="=="),
        thresholds=everywhere(0),
        for_s=5,
        severity=TICKET,
        summary="no limits are in force at the gateway, so it forwards no order",
        action="Its log has the reason: missing, expired, older than before, or signed by nobody allowed.",
        fault="a limits file that has expired",
    ),
)
