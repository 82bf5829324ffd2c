"""Boards of monitoring itself: what fires and what is silent, and what watching costs."""

from __future__ import annotations

from monitoring.boards.panel import COLUMNS, HOST, Board, Level, Panel, Query, Shape, growth, last, rate
from monitoring.metric import SLOW

YES = {0: ("refused", Level.BAD), 1: ("loaded", Level.OK)}

ALERTS_BOARD = Board(
    uid="hft-alerts",
    title="Alerts",
    description="What fires, what is silent, and whether notifications get through.",
    panels=(
        Panel(
            title="Alerts over time",
            shape=Shape.TIMELINE,
            unit="state",
            description="A row for each alert that fired; Watchdog always does and is left out.",
            queries=(
                Query(
                    expression='max by (alertname, host, slot) (ALERTS{alertstate="firing",'
                    f'alertname!="Watchdog",{HOST}}})',
                    metrics=("ALERTS",),
                    legend="{{alertname}} {{host}} {{slot}}",
                ),
            ),
            states={1: ("fires", Level.BAD)},
            empty="nothing fires",
            width=COLUMNS,
        ),
        Panel(
            title="Silences",
            shape=Shape.SILENCES,
            unit="1",
            description="Active silences of the Alertmanager pair, with their holder, reason and end.",
            width=COLUMNS,
        ),
        Panel(
            title="Members that each Alertmanager sees",
            shape=Shape.LINES,
            unit="1",
            description="Two are whole; one alone notifies, and so does the other.",
            queries=(last("alertmanager_cluster_members"),),
            alerts=("AlertmanagerPairTorn", "AlertmanagerDown"),
        ),
        Panel(
            title="Notifications that failed",
            shape=Shape.LINES,
            unit="1",
            description="By receiver's kind, within a step.",
            queries=(
                growth(
                    "alertmanager_notifications_failed_total",
                    by=("host", "integration"),
                    legend="{{host}} {{integration}}",
                ),
            ),
            alerts=("NotificationsFail",),
        ),
        Panel(
            title="Alerts that reached no Alertmanager",
            shape=Shape.LINES,
            unit="1",
            description="Within a step; only the watchdog outside of the site tells of it.",
            queries=(growth("prometheus_notifications_dropped_total", by=("host",), legend="{{host}}"),),
            alerts=("AlertsUndelivered",),
        ),
        Panel(
            title="Rules that failed",
            shape=Shape.LINES,
            unit="1",
            description="Evaluations that failed, by group, within a step.",
            queries=(
                growth(
                    "prometheus_rule_evaluation_failures_total",
                    by=("host", "rule_group"),
                    legend="{{host}} {{rule_group}}",
                ),
            ),
            alerts=("RulesFail",),
        ),
        Panel(
            title="Configurations",
            shape=Shape.TIMELINE,
            unit="state",
            description="Whether each daemon runs the configuration that was loaded last.",
            queries=(
                last("prometheus_config_last_reload_successful", legend="{{host}} Prometheus"),
                last("alertmanager_config_last_reload_successful", legend="{{host}} Alertmanager"),
            ),
            states=YES,
            alerts=("PrometheusOldConfiguration", "AlertmanagerOldConfiguration"),
        ),
    ),
)
COST = Board(
    uid="hft-cost",
    title="Cost of monitoring",
    description="What watching costs the hosts that trade.",
    panels=(
        Panel(
            title="CPU of the collectors",
            shape=Shape.LINES,
            unit="share",
            description="Share of one housekeeping CPU; the slice allows a fifth.",
            queries=(rate("hft_collector_cpu_seconds_total", by=("host",), legend="{{host}}"),),
        ),
        Panel(
            title="Duration of scrapes",
            shape=Shape.LINES,
            unit="s",
            description=f"Of each job; one longer than its interval, 1 s or {SLOW.interval_s} s, failed.",
            queries=(last("scrape_duration_seconds", legend="{{host}} {{job}}"),),
        ),
        Panel(
            title="Samples of a scrape",
            shape=Shape.LINES,
            unit="1",
            description="How many values each job brings: what grows here grows the store.",
            queries=(last("scrape_samples_scraped", legend="{{host}} {{job}}"),),
        ),
        Panel(
            title="Sources that cannot be read",
            shape=Shape.TILES,
            unit="1",
            description="By collector, how many of its sources are unread: what they count is unknown.",
            queries=(
                Query(
                    expression=f"sum by (host) (hft_collector_unread{{{HOST}}})",
                    metrics=("hft_collector_unread",),
                    legend="{{host}}",
                ),
            ),
            states={0: ("all read", Level.OK)},
            alerts=("CollectorSourceUnread",),
        ),
    ),
)
