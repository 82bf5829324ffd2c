"""Verb `collect`: one long-lived process that looks once a second and writes one textfile.

A process a look would cost more than the look. The file is written aside and renamed, so that a reader sees
the old text or the new one; its own time stamp in it says when it was looked. It runs on housekeeping CPUs,
in the monitoring slice, and it asks nothing of any other CPU.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agent.collect import cpus, gateway_page, machine, nic, ptp
from agent.collect.engine_page import Engines
from agent.collect.sample import Sample, UnreadError, sample, text_of
from agent.host import HostRoot
from agent.verbs.status import record_of
from tuning.cpuset import CpuSet

PERIOD_S = 1.0
FILE = "hft_collector.prom"
SLOW_EVERY = 5  # looks: ports' own counters take the network's lock, values of the plan hardly move
USAGE = "usage: agent.pyz collect --once | collect DIRECTORY"
Source = Callable[[], Iterable[Sample]]
T = TypeVar("T")


def _all_of(source: Source) -> list[Sample]:
    return list(source())


class Collector:
    """Looks at the host; sources that change slowly are kept between looks."""

    def __init__(self, host: HostRoot) -> None:
        self._host, self._engines, self._looks = host, Engines(), 0
        self._slow: dict[str, list[Sample]] = {}
        self._said: dict[str, str] = {}

    def look(self, now_s: float, monotonic_ns: int) -> str:
        """The exposition of this moment."""
        host, found = self._host, list[Sample]()
        unread: dict[str, str] = {}
        nothing: Mapping[str, Any] = {}
        plan = self._try("plan", lambda: machine.committed_plan(host), nothing, unread)
        isolated = self._try("isolated", lambda: machine.isolated_of(host, plan), CpuSet.of(()), unread)
        fast: dict[str, Source] = {
            "interrupts": lambda: cpus.interrupts(host, isolated),
            "schedstat": lambda: cpus.switches(host, isolated),
            "links": lambda: machine.links(host),
            "engines": lambda: self._engines.samples(host, monotonic_ns),
            "gateway": lambda: gateway_page.samples(host, monotonic_ns),
            "ptp": lambda: ptp.samples(host),
        }
        slow: dict[str, Source] = {
            "cpuidle": lambda: cpus.idle(host, isolated),
            "hugepages": lambda: machine.hugepages(host, plan),
            "boots": lambda: machine.boots(functools.partial(record_of, host)),
            "drift": lambda: machine.drift(host, plan),
            "nic": self._ports,
        }
        for name, source in fast.items():
            found += self._try(name, functools.partial(_all_of, source), list[Sample](), unread)
        for name, source in slow.items():
            if self._looks % SLOW_EVERY == 0:
                read = self._try(name, functools.partial(_all_of, source), list[Sample](), unread)
                self._slow[name] = [*read, sample("hft_collector_unread", name in unread, source=name)]
            found += self._slow[name]
        self._looks += 1
        for name in ("plan", "isolated", *fast):
            found.append(sample("hft_collector_unread", name in unread, source=name))
        self._tell(unread)
        found.append(sample("hft_collector_cpu_seconds_total", time.process_time()))
        found.append(sample("hft_collector_timestamp_seconds", round(now_s, 3)))
        return text_of(found)

    def _ports(self) -> Iterable[Sample]:
        """The machine's own: a directory laid out like a host has no ports to ask."""
        if not self._host.is_live:
            return ()
        return nic.counters({name: nic.read_port(name) for name in nic.ports(self._host)})

    @staticmethod
    def _try(name: str, read: Callable[[], T], otherwise: T, unread: dict[str, str]) -> T:
        try:
            return read()
        except (UnreadError, OSError, UnicodeError) as error:
            unread[name] = str(error)
            return otherwise

    def _tell(self, unread: dict[str, str]) -> None:
        """A line for the journal when a source goes, and when it comes back; not one a second."""
        for name, why in unread.items():
            if name not in self._said:
                print(f"hft-collector: {name} is not read: {why}", file=sys.stderr, flush=True)
        for name in self._said.keys() - unread.keys():
            print(f"hft-collector: {name} is read again", file=sys.stderr, flush=True)
        self._said = unread


def put(folder: Path, text: str) -> None:
    """The file with TEXT, the old one until then; readable by the exporter's user."""
    aside = folder / f".{FILE}"
    aside.write_text(text, encoding="utf-8")
    aside.chmod(0o644)
    aside.replace(folder / FILE)


def collect(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `collect`: `--once` prints one look; with a directory it writes there each second until it is
    stopped."""
    collector = Collector(host)
    if list(argv) == ["--once"]:
        sys.stdout.write(collector.look(time.time(), time.monotonic_ns()))
        return 0
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        print(USAGE, file=sys.stderr)
        return 2
    folder = Path(argv[0])
    with contextlib.suppress(AttributeError, OSError):
        os.nice(10)
    due = time.monotonic()
    while True:
        put(folder, collector.look(time.time(), time.monotonic_ns()))
        due = max(due + PERIOD_S, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
