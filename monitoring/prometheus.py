"""Prometheus: what it scrapes and how often, which rules it evaluates, whom it tells.

Two jobs read one exporter: the fast one asks every second for the few collectors that alerts within seconds
need, the slow one for the rest, because the cost of a scrape is that of its collectors. Both members of the
pair are told by every Prometheus; they remove duplicates, which needs equal external labels.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.alert import EVALUATION_S
from monitoring.condition import duration
from monitoring.layout import Layout, Member, Target, endpoint
from monitoring.metric import ALERTMANAGER, FAST, PROMETHEUS, SLOW, Job
from monitoring.rules import HEAD
from monitoring.yaml_text import Value, document

RESEND_S = 15
WALL = "/etc/prometheus/wall"  # the page that Prometheus serves below /user/ (monitoring/boards/wall.py)
FAST_COLLECTORS = ("netdev", "softnet", "timex", "textfile")
SLOW_COLLECTORS = (
    *("bonding", "cpu", "diskstats", "edac", "filesystem", "loadavg", "meminfo", "mdadm", "netclass"),
    *("pressure", "stat", "time", "uname", "vmstat"),
)
# Why the others are off. An exporter that reads these reaches into isolated CPUs or into the order path.
DENIED: Mapping[str, str] = {
    "cpufreq": "reads registers of the remote CPU; 0 on nohz_full CPUs",
    "ethtool": "10,000 series on a large host; the collector exports the counters that matter",
    "hwmon": "coretemp reads registers by an interrupt to each CPU; temperatures come from the BMC",
    "interrupts": "thousands of series on many CPUs; the collector sums isolated CPUs by kind",
    "perf": "opens an event on every CPU and reads it there",
    "processes": "walks every thread of the host",
    "rapl": "reads registers of the package",
    "tcpstat": "walks all sockets under their locks, the order socket's too",
    "thermal_zone": "firmware calls, or registers by an interrupt",
}


def configuration(layout: Layout) -> str:
    """prometheus.yml of every Prometheus of the site."""
    alertmanagers = [endpoint(one.target.address, one.alertmanager_port) for one in layout.members]
    return document(
        {
            "global": {
                "scrape_interval": duration(SLOW.interval_s),
                "evaluation_interval": duration(EVALUATION_S),
                "external_labels": {"site": layout.site},
            },
            "rule_files": ["rules/*.yml"],
            "alerting": {
                "alertmanagers": [
                    {"api_version": "v2", "timeout": "2s", "static_configs": [{"targets": alertmanagers}]}
                ]
            },
            "scrape_configs": [
                _of_hosts(FAST, FAST_COLLECTORS, layout),
                _of_hosts(SLOW, SLOW_COLLECTORS, layout),
                _of_members(PROMETHEUS, layout, {one: one.prometheus_port for one in layout.members}),
                _of_members(ALERTMANAGER, layout, {one: one.alertmanager_port for one in layout.members}),
            ],
        },
        head=HEAD,
    )


def arguments(member: Member) -> tuple[str, ...]:
    """Command line of one Prometheus: it listens on the management address alone.

    An alert that reached no Alertmanager, as at the start of either, is sent again after the resend delay: at
    the default of a minute the page would be that late. Four delays after Prometheus died an alert counts as
    over.
    """
    address = endpoint(member.target.address, member.prometheus_port)
    return (
        f"--web.listen-address={address}",
        "--storage.tsdb.retention.time=3d",
        f"--rules.alert.resend-delay={RESEND_S}s",
        "--web.enable-lifecycle",
        f"--web.user-assets={WALL}",
    )


def exporter_arguments(address: str, port: int, textfiles: str) -> tuple[str, ...]:
    """Command line of node_exporter: our collectors and no other, on one address."""
    return (
        f"--web.listen-address={endpoint(address, port)}",
        "--web.disable-exporter-metrics",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in (*FAST_COLLECTORS, *SLOW_COLLECTORS)),
        f"--collector.textfile.directory={textfiles}",
    )


def _of_hosts(job: Job, collectors: tuple[str, ...], layout: Layout) -> Value:
    return {
        "job_name": job.name,
        **_pace(job),
        "params": {"collect[]": list(collectors)},
        "static_configs": [_static(one, one.exporter_port) for one in layout.targets],
    }


def _of_members(job: Job, layout: Layout, ports: Mapping[Member, int]) -> Value:
    return {
        "job_name": job.name,
        **_pace(job),
        "static_configs": [_static(one.target, ports[one]) for one in layout.members],
    }


def _pace(job: Job) -> dict[str, str]:
    """A scrape that takes longer than its interval is a scrape that failed."""
    return {
        "scrape_interval": duration(job.interval_s),
        "scrape_timeout": duration(min(job.interval_s, 10)),
    }


def _static(target: Target, port: int) -> Value:
    return {"targets": [endpoint(target.address, port)], "labels": target.labels}
