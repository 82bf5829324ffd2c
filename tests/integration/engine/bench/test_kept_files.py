"""What a run of the benchmark leaves: histograms, and a plot, whose fonts a program finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram

import bench.engine.__main__ as program
from bench.engine.layout import Layout
from bench.engine.load_report import RELAY
from bench.engine.results import Results
from bench.engine.sizes import QUICK


def test_hdr_files_stand_beside_the_document(tmp_path: Path) -> None:
    from bench.engine.latency import Latency
    from tests.support.engine.bench_runs import ran, span

    runs = (ran(RELAY, 12_000), ran("engine", 13_000))
    latency = Latency(size=QUICK.latency, runs=runs, decision=span(900), user_span=span(8_000))
    layout = Layout(generator=0, hot=1, rest=0, spins=False)
    program.keep(Results(layout=layout, latency=latency), "{}", tmp_path)
    decoded = HdrHistogram.decode((tmp_path / "engine.hdr").read_bytes())
    assert decoded.get_total_count() == 1_000
    assert decoded.get_value_at_percentile(50) == pytest.approx(13_000, rel=0.001)


def test_plot_has_a_curve_for_each_label(tmp_path: Path) -> None:
    from bench.engine.plot import draw

    draw({"relay": {100: 5, 200: 5}, "engine": {150: 9, 300: 1}, "nothing": {}}, "title", tmp_path / "x.svg")
    svg = (tmp_path / "x.svg").read_text()
    assert svg.count("relay") >= 1 and svg.count("engine") >= 1 and "<svg" in svg
