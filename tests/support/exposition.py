"""Names and labels of a text exposition (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

import re

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \d+)?\Z")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Metric -> its samples: labels and value; an assertion names a line that is none."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        match = _SAMPLE.match(line)
        assert match, f"no sample: {line!r}"
        labels = dict(_LABEL.findall(match["labels"] or ""))
        found.setdefault(match["name"], []).append((labels, float(match["value"])))
    return found


def labels_of(text: str) -> dict[str, set[str]]:
    """Metric -> names of its labels."""
    return {name: {key for labels, _ in rows for key in labels} for name, rows in samples(text).items()}
