"""What promtool(1) runs against each alert's rules: firing, quiet, missing, and who else stays quiet.

All samples stand on the edges of the condition. One step beyond the threshold the alert fires, and not a
second before its `for` is over; on the threshold, or a step before it, it is quiet; labels that a rule leaves
out stay quiet at the value that fires elsewhere; without the series nothing fires but the alert on missing
data. So a rule with another threshold, comparison, label, duration or metric fails one of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.alert import EVALUATION_S, KEEP_FIRING_S, Alert
from monitoring.alerts_self import NO_DATA, WATCHDOG, no_data
from monitoring.condition import Absent, Burn, Samples, duration, number
from monitoring.metric import HOST_CLASSES
from monitoring.rules import labels, notes
from monitoring.yaml_text import Value, document

HOST = "engine-1"
HEAD = "Tests of one alert, written from its condition (monitoring/cases.py)."


def firing_value(alert: Alert, threshold: float) -> float:
    """One step on the side that fires."""
    steps = {">": alert.step, "!=": alert.step, "<": -alert.step, "==": 0}
    return threshold + steps[alert.condition.op]


def quiet_value(alert: Alert, threshold: float) -> float:
    """The value next to it that must not fire."""
    if isinstance(alert.condition, Burn):
        return threshold - alert.step  # its share is a quotient: on the edge itself it may round either way
    return threshold - alert.step if alert.condition.op == "==" else threshold


def target(alert: Alert, host_class: str) -> dict[str, str]:
    """Labels that every series of a target has."""
    job = alert.producer.job.name
    role = "engine" if job.startswith("host") else "monitoring"
    return {"host": HOST, "host_class": host_class, "job": job, "role": role}


def test_file(alert: Alert, rules: Mapping[str, str]) -> str:
    """The test document; RULES maps names of rule files to where they lie.

    Raises: KeyError for a rule file that RULES does not have.
    """
    files = [rules[f"{alert.file}.yml"], *(rules[f"{NO_DATA}-{name}.yml"] for name in _covered(alert))]
    return document(
        {
            "rule_files": files,
            "evaluation_interval": duration(max(EVALUATION_S, alert.condition.tick_s)),
            "tests": [case for one in judged_classes(alert) for case in _cases(alert, one)],
        },
        head=HEAD,
    )


def watchdog_test(rules: Mapping[str, str]) -> str:
    """It fires from the first evaluation on, whatever there is."""
    expected: Value = {
        "exp_labels": {"severity": "watchdog"},
        "exp_annotations": {"summary": "alerting works, from Prometheus to the receiver"},
    }
    case: Value = {
        "interval": "1s",
        "input_series": [],
        "alert_rule_test": [{"eval_time": "1s", "alertname": WATCHDOG, "exp_alerts": [expected]}],
    }
    return document({"rule_files": [rules[f"{WATCHDOG}.yml"]], "tests": [case]}, head=HEAD)


def _covered(alert: Alert) -> tuple[str, ...]:
    return () if alert.name == NO_DATA else tuple(name for name in alert.missing if name != "up")


def _cases(alert: Alert, host_class: str) -> Iterator[Value]:
    yield _firing(alert, host_class)
    yield _quiet(alert, host_class)
    yield _missing(alert, host_class)
    if alert.condition.decoy is not None:
        yield _never(alert, host_class, alert.condition.decoy)
    for other in sorted(set(HOST_CLASSES) - alert.thresholds.keys()):
        yield _never(alert, host_class, alert.condition.labels, seen_on=other)
    if isinstance(alert.condition, Absent):
        yield _cured(alert, host_class, alert.condition)
    if isinstance(alert.condition, Burn):
        yield _too_few(alert, host_class, alert.condition)
        yield _burst(alert, host_class, alert.condition)


def judged_classes(alert: Alert) -> tuple[str, ...]:
    """One class where all share a threshold, since their rule then asks for none; else each of them."""
    classes = tuple(alert.thresholds)
    is_one_rule = len(set(alert.thresholds.values())) == 1 and len(classes) == len(HOST_CLASSES)
    return classes[:1] if is_one_rule else classes


def _ticks(alert: Alert, seconds: int) -> int:
    return -(-seconds // alert.condition.tick_s)


def _firing(alert: Alert, host_class: str) -> Value:
    """Quiet a tick before `for` is over, firing then, still firing as long as it must, then over."""
    threshold = alert.thresholds[host_class]
    condition = alert.condition
    fires, rests = firing_value(alert, threshold), quiet_value(alert, threshold)
    wait, keep = _ticks(alert, alert.for_s), _ticks(alert, KEEP_FIRING_S)
    long = wait + 2
    begin, over = condition.lead, condition.lead + (condition.hold or long)
    expected = [_expected(alert, host_class)]
    looks: list[tuple[int, list[Value]]] = [(begin + wait, expected)]
    if wait:
        looks.insert(0, (begin + wait - 1, []))
    if not isinstance(condition, Burn):
        if condition.hold is None:
            looks.append((over + keep - 1, expected))
        looks.append((over + keep + 3, []))
    series = condition.samples([(fires, long), (rests, keep + 5)], condition.labels)
    return _case(alert, host_class, series, looks)


def _quiet(alert: Alert, host_class: str) -> Value:
    rests = quiet_value(alert, alert.thresholds[host_class])
    condition, wait = alert.condition, _ticks(alert, alert.for_s)
    series = condition.samples([(rests, wait + 4)], condition.labels)
    return _case(alert, host_class, series, [(condition.lead + wait + 2, [])])


def _missing(alert: Alert, host_class: str) -> Value:
    """The target answers and exports nothing of it: quiet, and the alert on missing data is not."""
    at = _ticks(alert, 15)
    if alert.name == NO_DATA:
        return _case(alert, host_class, (), [(at, [])])
    up = Samples(metric="up", labels={}, values=f"1+0x{at + 2}")
    case = _case(alert, host_class, (up,), [(at, [])])
    told: Value = {
        "eval_time": f"{at * alert.condition.tick_s}s",
        "alertname": NO_DATA,
        "exp_alerts": [_expected_no_data(name, target(alert, host_class)) for name in _covered(alert)],
    }
    return {**case, "alert_rule_test": [*case["alert_rule_test"], told]}


def _expected_no_data(name: str, seen: Mapping[str, str]) -> Value:
    alert = no_data(frozenset((name,)))[0]
    return {"exp_labels": {**seen, **labels(alert)}, "exp_annotations": _said(alert, {})}


def _never(alert: Alert, host_class: str, seen: Mapping[str, str], seen_on: str = "") -> Value:
    """The value that fires, where the rule must not look."""
    fires = firing_value(alert, alert.thresholds[host_class])
    condition, wait = alert.condition, _ticks(alert, alert.for_s)
    series = condition.samples([(fires, wait + 4)], seen)
    return _case(alert, seen_on or host_class, series, [(condition.lead + wait + 2, [])])


def _cured(alert: Alert, host_class: str, condition: Absent) -> Value:
    """What is exported for the same host and slot is not missing."""
    ticks = alert.for_s + 4
    witness = condition.samples([(alert.thresholds[host_class], ticks)], condition.labels)
    there = Samples(metric=condition.metric, labels=condition.labels, values=f"1+0x{ticks}")
    return _case(alert, host_class, (*witness, there), [(alert.for_s + 2, [])])


def _too_few(alert: Alert, host_class: str, condition: Burn) -> Value:
    """All orders are slow, and there are as many as the floor: nothing is judged."""
    ticks = condition.lead + 4
    few = number(condition.floor_per_s * condition.tick_s)
    return _case(alert, host_class, _rates(condition, "0", few, ticks), [(condition.lead + 2, [])])


def _burst(alert: Alert, host_class: str, condition: Burn) -> Value:
    """All orders were slow for the first ticks only: the long window has seen it, and it is over."""
    ticks, slow = condition.lead + 4, condition.lead // 3
    good = f"0+0x{slow} {condition.per_tick}+{condition.per_tick}x{ticks - slow}"
    series = _rates(condition, "0", number(condition.per_tick), ticks)
    burst = dataclasses.replace(series[0], values=good)
    return _case(alert, host_class, (burst, series[1]), [(condition.lead - 2, [])])


def _rates(condition: Burn, good: str, all_of_them: str, ticks: int) -> tuple[Samples, Samples]:
    bucket = {**condition.labels, "le": condition.le}
    name = condition.histogram
    return (
        Samples(metric=f"{name}_bucket", labels=bucket, values=f"0+{good}x{ticks}"),
        Samples(metric=f"{name}_count", labels=condition.labels, values=f"0+{all_of_them}x{ticks}"),
    )


def _case(
    alert: Alert, host_class: str, series: tuple[Samples, ...], looks: list[tuple[int, list[Value]]]
) -> dict[str, Any]:
    base, tick_s = target(alert, host_class), alert.condition.tick_s
    return {
        "interval": f"{tick_s}s",
        "input_series": [
            {"series": _written(one.metric, {**base, **one.labels}), "values": one.values} for one in series
        ],
        "alert_rule_test": [
            {"eval_time": f"{at * tick_s}s", "alertname": alert.name, "exp_alerts": expected}
            for at, expected in looks
        ],
    }


def _expected(alert: Alert, host_class: str) -> Value:
    """The alert with the labels that its expression leaves."""
    seen = {**target(alert, host_class), **alert.condition.labels}
    return {"exp_labels": {**seen, **labels(alert)}, "exp_annotations": _said(alert, seen)}


def _said(alert: Alert, seen: Mapping[str, str]) -> dict[str, Value]:
    """Annotations with their labels filled in, as Prometheus does."""
    texts: dict[str, Value] = {}
    for name, text in notes(alert).items():
        said = text
        for label, value in {"host": HOST, **seen}.items():
            said = said.replace(f"{{{{ $labels.{label} }}}}", value)
        texts[name] = said
    return texts


def _written(metric: str, seen: Mapping[str, str]) -> str:
    inside = ", ".join(f'{name}="{value}"' for name, value in sorted(seen.items()))
    return f"{metric}{{{inside}}}"
