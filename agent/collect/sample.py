"""Samples and their text (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

COUNTERS = ("_total", "_bucket", "_count")


class UnreadError(Exception):
    """A source that is not what it should be; the message says what was seen."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def sample(name: str, value: float, **labels: str) -> Sample:
    """A sample with its labels by name."""
    return Sample(name, value, tuple(labels.items()))


def text_of(samples: Iterable[Sample]) -> str:
    """The exposition, metric by metric; what is not finite is left out, since it says nothing.

    The decimals are Python's own and no locale's.
    """
    groups: dict[str, list[Sample]] = {}
    for one in samples:
        if math.isfinite(one.value):
            groups.setdefault(one.name, []).append(one)
    lines: list[str] = []
    for name, group in groups.items():
        lines.append(f"# TYPE {name} {'counter' if name.endswith(COUNTERS) else 'gauge'}")
        lines.extend(_line(one) for one in group)
    return "\n".join(lines) + "\n"


def _line(one: Sample) -> str:
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in one.labels)
    value = f"{one.value:.0f}" if one.value == int(one.value) else repr(float(one.value))
    return f"{one.name}{{{inside}}} {value}" if inside else f"{one.name} {value}"


def _escaped(text: str) -> str:
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return clean.replace("\\", "\\\\").replace('"', '\\"')
