"""The order gateway's metrics page: the engine's layout, read from its file.

Nobody asks the gateway's admin socket: it is served by the loop that forwards orders, and who may open it may
also unlatch. A gateway without a page is told as deployed and as nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agent.collect.engine_page import is_alive, parse_page, read_page_file
from agent.collect.sample import Sample, sample
from agent.host import HostRoot
from tuning.units import UNIT_DIR

FOLDER = "/run/hft-gateway"  # beside its admin socket (docs/runbooks/failover.md)
# Metric of the page (engine/native/gateway/page.cpp) -> what it is exported as.
EXPORTED: Mapping[str, str] = {
    name: f"hft_{name}"
    for name in (
        "gateway_epoch",
        "gateway_epoch_durable",
        "gateway_active",
        "gateway_latches",
        "gateway_latch_durable",
        "gateway_limits_in_force",
        "gateway_holders",
        "gateway_accounts",
        "gateway_accounts_ready",
        "gateway_open_orders",
        "gateway_forwarded_total",
        "gateway_refused_total",
        "gateway_refused_stale_epoch_total",
        "gateway_refused_latched_total",
        "gateway_refused_order_old_total",
    )
}


def is_deployed(host: HostRoot) -> bool:
    """Whether a gateway runs here or is meant to: its folder, or a unit of that name."""
    units = (
        name for name in host.listdir(UNIT_DIR) if re.fullmatch(r"hft-gateway[a-z0-9@-]*\.service", name)
    )
    return host.exists(FOLDER) or any(units)


def samples(host: HostRoot, monotonic_ns: int) -> Iterator[Sample]:
    """What the page says now.

    Raises: UnreadError for a page that is none.
    """
    if not is_deployed(host):
        return
    yield sample("hft_gateway_deployed", 1)
    data = read_page_file(host, f"{FOLDER}/metrics")
    page = parse_page(data) if data is not None else None
    if page is None or not is_alive(host, page):
        return
    age_s = max(0.0, (monotonic_ns - page.heartbeat_ns) / 1e9)
    yield sample("hft_gateway_heartbeat_age_seconds", round(age_s, 6))
    for name, exported in EXPORTED.items():
        if name in page.values:
            yield sample(exported, page.values[name][0])
