"""Alertmanager: who is told of what, and how the pair shares the work.

The second member waits `--cluster.peer-timeout` for the first to have sent. At its default, 15 s, a fault of
3 s was notified again 12 s after its end and the next real one was never sent, because the group was still
thought to be firing (prometheus/alertmanager issues 2447 and 4008; measured 4 of 4). At 1 s, below the time
that an alert keeps firing, it is not. tests/integration/monitoring proves the sequence on real processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.alert import Severity
from monitoring.alerts_self import WATCHDOG
from monitoring.condition import duration
from monitoring.layout import Layout, Member, endpoint
from monitoring.rules import HEAD
from monitoring.yaml_text import Value, document

PEER_TIMEOUT_S = 1
SECRETS = "/etc/prometheus/secrets"  # readable by Alertmanager's user alone; no secret is in a rendered file
PAGE, TICKET, DEADMAN = Severity.PAGE.value, Severity.TICKET.value, Severity.WATCHDOG.value
# Alertmanager's intervals, in seconds: group_interval, repeat_interval.
PAGE_INTERVALS, TICKET_INTERVALS, WATCHDOG_INTERVALS = (5, 3600), (300, 14_400), (30, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The ways to one receiver; a secret is named by its file."""

    pagerduty_key_file: str | None = None
    slack_url_file: str | None = None
    slack_channel: str | None = None
    webhook_urls: tuple[str, ...] = ()

    @property
    def is_nobody(self) -> bool:
        """Whether a notification to it reaches nothing."""
        return not (self.pagerduty_key_file or self.slack_url_file or self.webhook_urls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Whom to page, whom to leave a ticket, and who outside of the site listens to the watchdog."""

    page: Contact = Contact(
        pagerduty_key_file=f"{SECRETS}/pagerduty", slack_url_file=f"{SECRETS}/slack", slack_channel="#page"
    )
    ticket: Contact = Contact(slack_url_file=f"{SECRETS}/slack", slack_channel="#tickets")
    watchdog: Contact = Contact()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """While `source` fires, alerts that `muted` selects and that share the labels `equal` are not sent."""

    source: str
    muted: str
    equal: tuple[str, ...]
    why: str


INHIBITIONS = (
    Inhibition(
        source="HostDown",
        muted='severity="ticket"',
        equal=("host",),
        why="what is wrong with a host that does not answer is known already",
    ),
    Inhibition(
        source="CollectorStale",
        muted='alertname=~"NoData|TextfileStale|CollectorSourceUnread"',
        equal=("host",),
        why="one cause, one page",
    ),
    Inhibition(
        source="KillLatched",
        muted='alertname="EngineHalted"',
        equal=("host", "slot"),
        why="a latched engine is HALTED",
    ),
    Inhibition(
        source="LinkDown",
        muted='alertname=~"BondDegraded|LinkFlaps"',
        equal=("host",),
        why="the bond and the carrier say the same again",
    ),
    Inhibition(
        source="AlertmanagerDown",
        muted='alertname="AlertmanagerPairTorn"',
        equal=(),
        why="the other one is alone because of that",
    ),
)


def configuration(contacts: Contacts) -> str:
    """alertmanager.yml, the same on both members."""
    group_by = ["alertname", "host", "slot"]
    return document(
        {
            "route": {
                "receiver": TICKET,
                "group_by": group_by,
                **_timing(30, TICKET_INTERVALS),
                "routes": [
                    {
                        "receiver": DEADMAN,
                        "matchers": [f'alertname="{WATCHDOG}"'],
                        **_timing(0, WATCHDOG_INTERVALS),
                    },
                    {"receiver": PAGE, "matchers": [f'severity="{PAGE}"'], **_timing(0, PAGE_INTERVALS)},
                ],
            },
            "inhibit_rules": [_inhibition(one) for one in INHIBITIONS],
            "receivers": [
                _receiver(name, contact)
                for name, contact in (
                    (PAGE, contacts.page),
                    (TICKET, contacts.ticket),
                    (DEADMAN, contacts.watchdog),
                )
            ],
        },
        head=HEAD,
    )


def arguments(member: Member, layout: Layout) -> tuple[str, ...]:
    """Command line of one member: management address alone, and where the other one is."""
    mine = endpoint(member.target.address, member.cluster_port)
    peers = (endpoint(one.target.address, one.cluster_port) for one in layout.members if one != member)
    return (
        f"--web.listen-address={endpoint(member.target.address, member.alertmanager_port)}",
        f"--cluster.listen-address={mine}",
        f"--cluster.advertise-address={mine}",
        f"--cluster.peer-timeout={duration(PEER_TIMEOUT_S)}",
        *(f"--cluster.peer={peer}" for peer in peers),
    )


def _timing(wait_s: int, intervals: tuple[int, int]) -> dict[str, Value]:
    group_s, repeat_s = intervals
    return {
        "group_wait": duration(wait_s),
        "group_interval": duration(group_s),
        "repeat_interval": duration(repeat_s),
    }


def _inhibition(one: Inhibition) -> Value:
    return {
        "source_matchers": [f'alertname="{one.source}"'],
        "target_matchers": [one.muted],
        "equal": list(one.equal),
    }


def _receiver(name: str, contact: Contact) -> Value:
    """Slack and PagerDuty are told what the annotations say: no order, price or client is in an alert."""
    found: dict[str, Value] = {"name": name}
    if contact.pagerduty_key_file:
        found["pagerduty_configs"] = [
            {"routing_key_file": contact.pagerduty_key_file, "severity": "critical"}
        ]
    if contact.slack_url_file:
        found["slack_configs"] = [
            {
                "api_url_file": contact.slack_url_file,
                "channel": contact.slack_channel or f"#{name}",
                "send_resolved": True,
                "title": "{{ .Status | toUpper }} {{ .CommonLabels.alertname }}",
                "text": "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.action }}\n{{ end }}",
            }
        ]
    if contact.webhook_urls:
        found["webhook_configs"] = [{"url": url, "send_resolved": True} for url in contact.webhook_urls]
    return found
