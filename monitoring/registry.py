"""Every metric that a rule or a panel may name, once. Durations are seconds, sizes bytes, counts `1`."""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.metric import (
    ABOUT_SCRAPES,
    COLLECTOR,
    ENGINE_PAGE,
    ENGINE_ROLES,
    GATEWAY_PAGE,
    NODE_FAST,
    NODE_SLOW,
    OWN_ALERTMANAGER,
    OWN_PROMETHEUS,
    Kind,
    Metric,
    Producer,
    Proof,
)

COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
LIVE, FIXTURE, HARDWARE, NOT_BUILT = Proof.LIVE, Proof.FIXTURE, Proof.HARDWARE, Proof.NOT_BUILT
# What every host with the exporter has.
ANY = ("engine", "ops", "monitoring", "standby")
FS, CPU, DEVICE = ("device", "fstype", "mountpoint"), ("cpu",), ("device",)
Row = tuple[str, Kind, str, Proof, tuple[str, ...], tuple[str, ...], str]


def _of(producer: Producer, rows: Iterable[Row]) -> tuple[Metric, ...]:
    return tuple(
        Metric(
            name=name,
            kind=kind,
            unit=unit,
            producer=producer,
            proof=proof,
            labels=labels,
            required_on=required,
            meaning=meaning,
        )
        for name, kind, unit, proof, labels, required, meaning in rows
    )


BY_NODE_FAST = _of(
    NODE_FAST,
    (
        ("up", GAUGE, "1", LIVE, (), ANY, "1 when the last scrape was answered"),
        ("node_softnet_dropped_total", COUNTER, "1", LIVE, CPU, ANY, "packets dropped: backlog full"),
        ("node_softnet_times_squeezed_total", COUNTER, "1", LIVE, CPU, ANY, "NET_RX ran out of budget"),
        ("node_timex_sync_status", GAUGE, "1", LIVE, (), ANY, "1 while the kernel's clock is synchronised"),
        ("node_timex_offset_seconds", GAUGE, "s", LIVE, (), ANY, "offset that adjtimex(2) knows"),
        ("node_timex_maxerror_seconds", GAUGE, "s", LIVE, (), ANY, "greatest error that the kernel admits"),
        ("node_textfile_mtime_seconds", GAUGE, "s", LIVE, ("file",), ANY, "time of a textfile"),
        ("node_textfile_scrape_error", GAUGE, "1", LIVE, (), ANY, "1 when a textfile could not be read"),
        ("node_network_receive_drop_total", COUNTER, "1", LIVE, DEVICE, ANY, "packets a device dropped"),
    ),
)
BY_NODE_SLOW = _of(
    NODE_SLOW,
    (
        ("node_network_carrier_changes_total", COUNTER, "1", LIVE, DEVICE, ANY, "links that came or went"),
        ("node_filesystem_readonly", GAUGE, "1", LIVE, FS, ANY, "1 when mounted read-only"),
        ("node_filesystem_avail_bytes", GAUGE, "bytes", LIVE, FS, ANY, "free for programs"),
        ("node_filesystem_size_bytes", GAUGE, "bytes", LIVE, FS, ANY, "size of a file system"),
        ("node_edac_uncorrectable_errors_total", COUNTER, "1", HARDWARE, ("controller",), (), "data lost"),
        ("node_edac_correctable_errors_total", COUNTER, "1", HARDWARE, ("controller",), (), "mended"),
        ("node_cpu_package_throttles_total", COUNTER, "1", HARDWARE, ("package",), (), "too hot"),
    ),
)
BY_COLLECTOR = _of(
    COLLECTOR,
    (
        ("hft_collector_timestamp_seconds", GAUGE, "s", FIXTURE, (), ENGINE_ROLES, "when it looked last"),
        ("hft_collector_unread", GAUGE, "1", FIXTURE, ("source",), ENGINE_ROLES, "1: cannot be read"),
        (
            "hft_isolated_cpu_interrupts_total",
            COUNTER,
            "1",
            FIXTURE,
            ("cpu", "kind"),
            ENGINE_ROLES,
            "interrupts",
        ),
        (
            "hft_isolated_cpu_switches_total",
            COUNTER,
            "1",
            FIXTURE,
            CPU,
            ENGINE_ROLES,
            "tasks that got an isolated CPU",
        ),
        (
            "hft_machine_checks_total",
            COUNTER,
            "1",
            FIXTURE,
            ("kind",),
            (),
            "machine check exceptions, thermal and threshold interrupts",
        ),
        (
            "hft_nic_counter_total",
            COUNTER,
            "1",
            FIXTURE,
            ("device", "driver", "counter", "class"),
            (),
            "a driver's own counter",
        ),
        (
            "hft_link_up",
            GAUGE,
            "1",
            FIXTURE,
            DEVICE,
            ENGINE_ROLES,
            "carrier of a port that is administratively up",
        ),
        ("hft_cpu_interrupts_total", COUNTER, "1", FIXTURE, ("cpu", "isolated"), (), "interrupts of a CPU"),
        ("hft_bond_active_ports", GAUGE, "1", FIXTURE, ("bond",), (), "ports of a bond with a link"),
        ("hft_bond_ports", GAUGE, "1", FIXTURE, ("bond",), (), "ports of a bond"),
        ("hft_hugepages", GAUGE, "1", FIXTURE, ("node", "size"), ENGINE_ROLES, "pages in the pool"),
        ("hft_hugepages_free", GAUGE, "1", FIXTURE, ("node", "size"), ENGINE_ROLES, "pages nobody maps"),
        ("hft_hugepages_planned", GAUGE, "1", FIXTURE, ("node", "size"), (), "pages of the committed plan"),
        (
            "hft_cpuidle_seconds_total",
            COUNTER,
            "s",
            FIXTURE,
            ("cpu", "state", "depth"),
            (),
            "time of an isolated CPU in an idle state",
        ),
        ("hft_collector_cpu_seconds_total", COUNTER, "s", FIXTURE, (), (), "CPU time of the collector"),
        ("hft_boot_fallback", GAUGE, "1", FIXTURE, (), ENGINE_ROLES, "1 when the known good entry runs"),
        ("hft_plan_info", GAUGE, "1", FIXTURE, ("plan",), (), "1; digits of the committed plan's hash"),
        (
            "hft_last_rollback_info",
            GAUGE,
            "1",
            FIXTURE,
            ("transaction", "brought_back_by"),
            (),
            "1; the last trial that failed and what ended it",
        ),
        ("hft_trial_open", GAUGE, "1", FIXTURE, (), ENGINE_ROLES, "1 during a trial boot"),
        ("hft_transaction_open", GAUGE, "1", FIXTURE, (), ENGINE_ROLES, "1 while a change is half way"),
        ("hft_ptp_following", GAUGE, "1", FIXTURE, (), (), "1 while the clock follows a grandmaster"),
        ("hft_ptp_offset_seconds", GAUGE, "s", FIXTURE, (), (), "from its grandmaster; absent without one"),
        ("hft_ptp_path_delay_seconds", GAUGE, "s", FIXTURE, (), (), "to its grandmaster, one way"),
        ("hft_plan_drift_items", GAUGE, "1", FIXTURE, (), (), "settings that differ from the plan"),
    ),
)
SLOT, QUANTILE = ("slot",), ("slot", "quantile")
BY_ENGINE_PAGE = _of(
    ENGINE_PAGE,
    (
        ("hft_slot_deployed", GAUGE, "1", FIXTURE, SLOT, (), "1 for a slot with a release"),
        ("hft_slot_release_info", GAUGE, "1", FIXTURE, ("slot", "release"), (), "1; digits of its digest"),
        ("hft_engine_state", GAUGE, "1", FIXTURE, SLOT, (), "number of the state (engine contract)"),
        ("hft_engine_latched", GAUGE, "1", FIXTURE, SLOT, (), "1 while the kill latch is set"),
        ("hft_engine_heartbeat_age_seconds", GAUGE, "s", FIXTURE, SLOT, (), "age of the last turn, as seen"),
        ("hft_engine_epoch", GAUGE, "1", FIXTURE, SLOT, (), "epoch held, 0 for none"),
        ("hft_engine_orders_sent_total", COUNTER, "1", FIXTURE, SLOT, (), "orders written to the gateway"),
        ("hft_engine_user_span_last_seconds", GAUGE, "s", FIXTURE, QUANTILE, (), "since the last look"),
        ("hft_engine_feed_gaps_total", COUNTER, "1", FIXTURE, SLOT, (), "gaps after arbitration"),
        ("hft_engine_risk_refused_total", COUNTER, "1", FIXTURE, SLOT, (), "intents that risk refused"),
        ("hft_engine_input_seq", GAUGE, "1", FIXTURE, SLOT, (), "last input of the core"),
        ("hft_engine_journal_durable_seq", GAUGE, "1", FIXTURE, SLOT, (), "last input known on disk"),
        (
            "hft_engine_user_span_seconds",
            HISTOGRAM,
            "s",
            FIXTURE,
            SLOT,
            (),
            "receive stamp to return of send",
        ),
    ),
)
BY_GATEWAY_PAGE = _of(
    GATEWAY_PAGE,
    (
        ("hft_gateway_deployed", GAUGE, "1", FIXTURE, (), (), "1 where a gateway is meant to run"),
        ("hft_gateway_heartbeat_age_seconds", GAUGE, "s", FIXTURE, (), (), "age of its last tick, as seen"),
        ("hft_gateway_epoch", GAUGE, "1", FIXTURE, (), (), "highest epoch seen, 0 for none"),
        ("hft_gateway_epoch_durable", GAUGE, "1", FIXTURE, (), (), "1 when that epoch is on disk"),
        ("hft_gateway_active", GAUGE, "1", FIXTURE, (), (), "1 when it logs in at the venue"),
        ("hft_gateway_latches", GAUGE, "1", FIXTURE, (), (), "kill latches that are set"),
        ("hft_gateway_latch_durable", GAUGE, "1", FIXTURE, (), (), "1 when they are on disk"),
        ("hft_gateway_limits_in_force", GAUGE, "1", FIXTURE, (), (), "1 when limits judge orders"),
        ("hft_gateway_holders", GAUGE, "1", FIXTURE, (), (), "connections that claimed that epoch"),
        ("hft_gateway_accounts", GAUGE, "1", FIXTURE, (), (), "accounts of its configuration"),
        ("hft_gateway_accounts_ready", GAUGE, "1", FIXTURE, (), (), "accounts logged in at the venue"),
        ("hft_gateway_open_orders", GAUGE, "1", FIXTURE, (), (), "orders open at the venue"),
        ("hft_gateway_forwarded_total", COUNTER, "1", FIXTURE, (), (), "messages sent to the venue"),
        ("hft_gateway_refused_total", COUNTER, "1", FIXTURE, (), (), "messages and requests it refused"),
        (
            "hft_gateway_refused_stale_epoch_total",
            COUNTER,
            "1",
            FIXTURE,
            (),
            (),
            "of an epoch that is fenced",
        ),
        ("hft_gateway_refused_latched_total", COUNTER, "1", FIXTURE, (), (), "stopped by a kill latch"),
        ("hft_gateway_refused_order_old_total", COUNTER, "1", FIXTURE, (), (), "orders that had waited"),
    ),
)
BY_MONITORING = (
    *_of(
        ABOUT_SCRAPES,
        (
            (
                "ALERTS",
                GAUGE,
                "1",
                LIVE,
                ("alertname", "alertstate"),
                (),
                "1 for each alert that is not over",
            ),
            ("scrape_duration_seconds", GAUGE, "s", LIVE, (), (), "how long the last scrape took"),
            ("scrape_samples_scraped", GAUGE, "1", LIVE, (), (), "values that it brought"),
        ),
    ),
    *_of(
        OWN_PROMETHEUS,
        (
            (
                "prometheus_rule_evaluation_failures_total",
                COUNTER,
                "1",
                LIVE,
                ("rule_group",),
                (),
                "rules that failed",
            ),
            (
                "prometheus_config_last_reload_successful",
                GAUGE,
                "1",
                LIVE,
                (),
                (),
                "0 when an old configuration runs",
            ),
            (
                "prometheus_notifications_dropped_total",
                COUNTER,
                "1",
                LIVE,
                (),
                (),
                "alerts that reached no Alertmanager",
            ),
        ),
    ),
    *_of(
        OWN_ALERTMANAGER,
        (
            (
                "alertmanager_config_last_reload_successful",
                GAUGE,
                "1",
                LIVE,
                (),
                (),
                "0 when an old configuration runs",
            ),
            (
                "alertmanager_notifications_failed_total",
                COUNTER,
                "1",
                LIVE,
                ("integration",),
                (),
                "refused notifications",
            ),
            ("alertmanager_cluster_members", GAUGE, "1", LIVE, (), (), "members of the pair that it sees"),
        ),
    ),
)
METRICS: dict[str, Metric] = {
    one.name: one
    for one in (
        *(*BY_NODE_FAST, *BY_NODE_SLOW, *BY_COLLECTOR, *BY_ENGINE_PAGE, *BY_GATEWAY_PAGE),
        *BY_MONITORING,
    )
}


def metric(name: str) -> Metric:
    """The metric of that name; KeyError for one that the registry does not know."""
    return METRICS[name]
