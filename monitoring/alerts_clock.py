"""Alerts on a host's clock: what the kernel believes of it, and what ptp4l says of its grandmaster."""

from __future__ import annotations

from monitoring.alert import Alert, Severity, everywhere
from monitoring.condition import Level

PAGE, TICKET = Severity.PAGE, Severity.TICKET

TIME = (
    Alert(
        name="ClockUnsynchronised",
        condition=Level(metric="node_timex_sync_status", op="=="),
        thresholds={"cloud": 0, "lab-vm": 0},
        for_s=30,
        severity=TICKET,
        summary="the kernel's clock is not synchronised",
        action="`chronyc tracking` and `chronyc sources` on the host.",
        fault="stop chronyd for longer than its error bound allows",
    ),
    Alert(
        name="ClockOffset",
        condition=Level(metric="node_timex_offset_seconds", is_magnitude=True),
        thresholds={"cloud": 0.0005},
        for_s=10,
        step=1e-6,
        severity=PAGE,
        summary="the clock is off by more than half of what RTS 25 allows this host",
        action="`chronyc sources`: is the cloud's own PHC source there? Orders are stamped by this clock.",
        fault="a time server that lies",
    ),
    Alert(
        name="PtpLost",
        condition=Level(metric="hft_ptp_following", op="=="),
        thresholds=everywhere(0),
        for_s=2,
        severity=PAGE,
        summary="the clock follows no grandmaster",
        action="It drifts: `hft clock check` says since when. Is the grandmaster up, in this domain?",
        fault="SIGKILL to the grandmaster's ptp4l",
    ),
    Alert(
        name="PtpOffset",
        condition=Level(metric="hft_ptp_offset_seconds", is_magnitude=True),
        thresholds={"bare-metal": 0.00005, "cloud": 0.00005},
        for_s=2,
        step=1e-6,
        severity=PAGE,
        summary="the clock is off its grandmaster by more than half of what RTS 25 allows",
        action="`hft clock check`: the clock, or the grandmaster? The watchdog's servers say which.",
        fault="egressLatency and ingressLatency of ptp4l set to a lie",
    ),
    Alert(
        name="PtpPath",
        condition=Level(metric="hft_ptp_path_delay_seconds"),
        thresholds={"bare-metal": 0.0001, "cloud": 0.0001},
        for_s=10,
        step=1e-6,
        severity=TICKET,
        summary="the way to the grandmaster is longer than the limit of RTS 25",
        action="A path may be all one way, so this clock is within 100 us of nothing. Which switch is new?",
        fault="a delay on the way to the grandmaster",
    ),
)
