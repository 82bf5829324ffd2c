"""The wall in a browser: the series' own colour lies inside the fault's time, and an empty store shows none.

Real programs on loopback: engine's page, collector, exporter, Prometheus with its page. Axes and grid alone
ink thousands of pixels, so what is counted is the colour that the page gave to the series, in its upper half.
"""

from __future__ import annotations

import html
import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from hft.wall_assets import assets
from monitoring.boards import wall
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.commands import called
from tests.support.daemons import site, start_prometheus
from tests.support.ports import free_port
from tests.support.watched_host import Bench

pytestmark = [
    pytest.mark.drill,
    needs.programs("chromium", "prometheus", "prometheus-node-exporter"),
    needs.uplot(),
]
SIZE = (1400, 2400)
STILL = "Stillness of hot loops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the browser showed: its document, its pixels, and what its console said."""

    text: str
    pixels: Any
    console: tuple[str, ...]

    def panel(self, title: str) -> str:
        """The part of the document that is one panel."""
        (found,) = (part for part in self.text.split("<section")[1:] if f"<h2>{title}</h2>" in part)
        return found

    def plot(self, title: str) -> dict[str, Any]:
        """Where a panel drew its lines, from when to when, and the colour of each series.

        Raises: AssertionError where it drew none.
        """
        match = re.search(r'data-plot="([^"]*)"', self.panel(title))
        assert match, f"{title} drew nothing"
        return dict(json.loads(html.unescape(match[1])))

    def inked(self, plot: dict[str, Any], colour: str, begin: float, end: float) -> int:
        """Pixels of a colour in the upper half of a plot between two times."""
        scale = plot["width"] / (plot["to"] - plot["from"])
        left, right = (int(plot["left"] + scale * (at - plot["from"])) for at in (begin, end))
        top, bottom = int(plot["top"]), int(plot["top"] + plot["height"] / 2)
        wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        part = (self.pixels[top:bottom, left:right, :3] * 255).round()
        return int((np.abs(part - wanted).max(axis=2) < 12).sum())


def look(port: int, words: str, folder: Path) -> Seen:
    """The page at these words of its address, drawn whole by Chromium."""
    png = folder / f"{port}.png"
    argv = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--enable-logging=stderr", "--log-level=0", f"--user-data-dir={folder / 'profile'}"),
        *(f"--window-size={SIZE[0]},{SIZE[1]}", "--virtual-time-budget=20000", "--timeout=60000"),
    ]
    url = f"http://127.0.0.1:{port}/user/#{words}"
    document = called(*argv, "--dump-dom", url)
    drawn = called(*argv, f"--screenshot={png}", url)
    assert png.is_file(), drawn.stderr
    said = (*document.stderr.splitlines(), *drawn.stderr.splitlines())
    console = tuple(line for line in said if "CONSOLE" in line)
    return Seen(text=document.stdout, pixels=matplotlib.image.imread(png), console=console)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    port = free_port()
    with site(tmp_path, exporter_port=port) as running:
        bench = Bench(running, tmp_path, port)
        bench.start()
        folder = tmp_path / "wall"
        folder.mkdir()
        for name, text in wall.files(running.layout, assets(None)).items():
            (folder / name).write_text(text)
        start_prometheus(running, (), wall=folder)
        yield bench


def test_a_frozen_engine_is_a_line_of_its_colour_inside_the_faults_time(bench: Bench, tmp_path: Path) -> None:
    port = bench.site.layout.members[0].prometheus_port
    begun = time.time()
    time.sleep(12)
    bench.signal("engine", signal.SIGSTOP)
    frozen = time.time()
    time.sleep(12)
    bench.signal("engine", signal.SIGCONT)
    thawed = time.time()
    time.sleep(6)
    words = f"board=hft-ha&from={begun + 2:.0f}&to={time.time() - 1:.0f}"
    seen = look(port, words, tmp_path)
    assert 'data-ready="hft-ha"' in seen.text
    assert not seen.console
    plot = seen.plot(STILL)
    (colour,) = (one["colour"] for one in plot["series"] if one["name"] == "engine-1 a")
    assert seen.inked(plot, colour, frozen + 8, thawed) > 20
    assert seen.inked(plot, colour, plot["from"], frozen - 1) == 0
    assert "no data since before" not in seen.panel(STILL)


def test_an_empty_store_draws_no_line_and_says_so(tmp_path: Path) -> None:
    with site(tmp_path) as running:
        folder = tmp_path / "wall"
        folder.mkdir()
        for name, text in wall.files(running.layout, assets(None)).items():
            (folder / name).write_text(text)
        start_prometheus(running, (), wall=folder)
        seen = look(running.layout.members[0].prometheus_port, "board=hft-ha", tmp_path)
    assert "no data since before" in seen.panel(STILL)
    with pytest.raises(AssertionError, match="drew nothing"):
        seen.plot(STILL)
