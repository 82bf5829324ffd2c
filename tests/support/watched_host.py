"""A host of files that is watched by real programs: an engine's page, the collector, the exporter."""

from __future__ import annotations

import sys
from pathlib import Path

from monitoring.prometheus import exporter_arguments
from tests.support import collected
from tests.support.checkout import ROOT
from tests.support.daemons import Site, answers
from tests.support.waiting import until


class Bench:
    """The running site, and the host of files that its collector looks at."""

    def __init__(self, running: Site, folder: Path, port: int) -> None:
        self.site, self.port = running, port
        self.root = collected.lay(folder / "host")
        self.textfiles = folder / "textfiles"
        self.textfiles.mkdir()
        (self.root / "run/hft-engine-a").mkdir(parents=True)
        (self.root / "proc/sys/kernel/random/boot_id").unlink()
        (self.root / "proc/sys/kernel/random/boot_id").symlink_to("/proc/sys/kernel/random/boot_id")
        collected.lay(self.root, {"sys/class/net/ens2/bonding_slave/mii_status": "up\n"})

    def start(self) -> None:
        """Engine, collector and exporter, until the engine's page is exported."""
        self.start_engine()
        self.start_collector()
        self.start_exporter()
        until(lambda: answers(self.port, "/metrics"), "node_exporter")
        until(lambda: "hft_engine_state" in self.site.names(self.port), "the engine's page")

    def start_engine(self) -> None:
        """A process with a page, visible in the host's /proc."""
        script = ROOT / "tests/support/page_writer.py"
        self.site.start("engine", [sys.executable, str(script), str(self.root / "run/hft-engine-a/metrics")])
        pid = self.site.programs["engine"].pid
        link = self.root / f"proc/{pid}"
        link.symlink_to(f"/proc/{pid}")

    def start_engine_again(self) -> None:
        """The engine, until its page is exported: what stops the collector next keeps it so."""
        self.start_engine()
        until(lambda: "hft_engine_state" in self.site.names(self.port), "the new engine's page", 20, 0.1)

    def start_collector(self) -> None:
        """The agent's, over the host of files."""
        argv = [sys.executable, "-m", "agent", "--root", str(self.root), "collect", str(self.textfiles)]
        self.site.start("collector", argv)

    def start_exporter(self) -> None:
        """node_exporter with our arguments."""
        arguments = exporter_arguments("127.0.0.1", self.port, str(self.textfiles))
        self.site.start("node_exporter", ["prometheus-node-exporter", *arguments])

    def signal(self, name: str, number: int) -> None:
        """A signal to one of the programs."""
        self.site.programs[name].send_signal(number)
