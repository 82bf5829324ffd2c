"""One metric: what it is called, what it counts, who exports it, and how that has been proven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOST_CLASSES = ("bare-metal", "cloud", "lab-vm")  # inventory.model.HostClass; a test holds them equal
ENGINE_ROLES = ("engine", "standby")


class Kind(StrEnum):
    """How a value behaves (https://prometheus.io/docs/concepts/metric_types)."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Proof(StrEnum):
    """Where a name and its labels have been seen; rules over what is not built yet are not rendered."""

    LIVE = "live exposition"
    FIXTURE = "recorded fixture"
    HARDWARE = "hardware only"
    NOT_BUILT = "not built yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A scrape job of Prometheus and how often it asks."""

    name: str
    interval_s: int


FAST = Job(name="host_fast", interval_s=1)
SLOW = Job(name="host_slow", interval_s=15)
PROMETHEUS = Job(name="prometheus", interval_s=1)
ALERTMANAGER = Job(name="alertmanager", interval_s=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """Who exports: the job that reads it, and how old a value may be before it is scraped."""

    name: str
    job: Job
    refresh_s: int = 0


NODE_FAST = Producer(name="node_exporter, fast set", job=FAST)
NODE_SLOW = Producer(name="node_exporter, slow set", job=SLOW)
COLLECTOR = Producer(name="the agent's collector, by textfile", job=FAST, refresh_s=1)
ENGINE_PAGE = Producer(name="the agent's collector, from the engine's page", job=FAST, refresh_s=1)
GATEWAY_PAGE = Producer(name="the agent's collector, from the gateway's page", job=FAST, refresh_s=1)
# What a host's collector exports by its textfile, which outlives it.
BY_TEXTFILE = (COLLECTOR, ENGINE_PAGE, GATEWAY_PAGE)
OWN_PROMETHEUS = Producer(name="Prometheus", job=PROMETHEUS)
ABOUT_SCRAPES = Producer(name="Prometheus, about rules and scrapes", job=FAST)
OWN_ALERTMANAGER = Producer(name="Alertmanager", job=ALERTMANAGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`required_on`: roles of hosts that always have it, so that its absence is an alert; empty where a host
    may rightly lack what it counts."""

    name: str
    kind: Kind
    unit: str
    producer: Producer
    proof: Proof
    meaning: str
    labels: tuple[str, ...] = ()
    required_on: tuple[str, ...] = ()
