"""The latency percentiles as HdrHistogram's own plots show them: the further right, the more nines.

The x axis is 1 / (1 - share), logarithmic: p50 at 2, p90 at 10, p99 at 100, p99.9 at 1,000. Curves of
intended time, open loop; a flat curve is a quiet machine. The drawing library is loaded only here and
only when a plot is wanted: whoever wants figures alone does not need it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import UnableError

Counts = Mapping[int, int]  # value in ns to how often
NINES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def curve(counts: Counts) -> tuple[list[float], list[float]]:
    """(1 / (1 - share), us) at every value; the last one, where share is 1, is left out."""
    total = sum(counts.values())
    xs, ys, seen = [], [], 0
    for value in sorted(counts):
        seen += counts[value]
        if seen < total:
            xs.append(total / (total - seen))
            ys.append(value / 1e3)
    return xs, ys


def draw(curves: Mapping[str, Counts], title: str, path: Path) -> None:
    """An SVG with one curve for each label."""
    figure, axes = _empty(title)
    highest = 2.0
    for label, counts in curves.items():
        xs, ys = curve(counts)
        if xs:
            axes.plot(xs, ys, label=f"{label} ({sum(counts.values()):,})", drawstyle="steps-pre")
            highest = max(highest, xs[-1])
    shown = [share for share in NINES if 1 / (1 - share) <= highest * 1.01]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1 / (1 - share) for share in shown])
    axes.set_xticklabels([f"{100 * share:g} %" for share in shown])
    axes.minorticks_off()
    axes.set_xlabel("share of orders that took no longer")
    axes.set_ylabel("us")
    axes.grid(visible=True, alpha=0.3)
    if axes.get_lines():
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})


def _empty(title: str) -> tuple[Any, Any]:
    try:
        made = importlib.import_module("matplotlib.figure").Figure(figsize=(9, 5))
    except ImportError as error:
        raise UnableError("no plot without matplotlib: python3 -m pip install matplotlib") from error
    axes = made.add_subplot()
    axes.set_title(title, fontsize=9)
    return made, axes
