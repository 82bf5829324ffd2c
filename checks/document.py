"""The check document: results as JSON (docs/schema/check.schema.json) and as JUnit XML for CI.

JUnit: violated is a failure, unverifiable and unreachable are errors, not applicable is skipped. An
unreachable host is one test case with an error: a report without it would read as a pass.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from typing import Any

from checks.counters import CpuCounters, Measurement
from checks.reading import list_of
from checks.suite import HostResult
from checks.verdict import Finding, Verdict

SCHEMA = 1


def document_of(site: str, results: Sequence[HostResult], exit_code: int) -> dict[str, Any]:
    """The whole run."""
    return {
        "schema": SCHEMA,
        "site": site,
        "exit_code": exit_code,
        "hosts": [host_document(result) for result in results],
    }


def host_document(result: HostResult) -> dict[str, Any]:
    """The part of one host."""
    expected = result.expected
    return {
        "host": result.host,
        "at": result.started_at,
        "verdict": result.verdict or "unreachable",
        "unreachable": result.unreachable,
        "plan_hash": expected.plan_hash if expected else None,
        "committed": result.tuned,
        "kernel": result.kernel,
        "boot_id": result.boot_id,
        "round_trips": result.round_trips,
        "seconds": round(result.seconds, 1),
        "counts": dict(Counter(finding.verdict.value for finding in result.findings)),
        "isolated": list_of(expected.isolated) if expected else None,
        "findings": [dataclasses.asdict(finding) for finding in result.findings],
        "measurement": counters(result.measurement),
        "untuned": counters(result.untuned),
        "machine": dataclasses.asdict(result.machine) if result.machine else None,
    }


def counters(measured: Measurement | None) -> dict[str, Any] | None:
    """The counters of each measured CPU in one window."""
    if measured is None or not measured.cpus:
        return None
    return {
        "window_s": round(measured.window_s, 3),
        "cpus": [cpu_document(cpu, counted) for cpu, counted in measured.cpus.items()],
    }


def cpu_document(cpu: int, counted: CpuCounters) -> dict[str, Any]:
    """The counters of one CPU; `mode` says what kept it busy."""
    spinner, engine = counted.spinner, counted.engine_tasks
    return {
        "cpu": cpu,
        "mode": spinner.mode if spinner else "observe",
        "interrupts": counted.shown,
        "devices": dict(counted.devices),
        "softirqs": {row: count for row, count in counted.softirqs.items() if count},
        "involuntary_switches": spinner.involuntary if spinner else sum(one.involuntary for one in engine),
        "run_delay_ns": sum(one.run_delay_ns for one in engine),
        "major_faults": spinner.major_faults if spinner else sum(one.major_faults for one in engine),
        "gap_max_us": round(spinner.gap_max_ns / 1000, 1) if spinner else None,
        "tasks": [f"{one.comm}[{one.tid}]" for one in counted.tasks],
    }


def junit_of(site: str, results: Sequence[HostResult]) -> str:
    """The run as JUnit XML, one suite per host."""
    root = ET.Element("testsuites", name=f"hft check {site}")
    every: list[ET.Element] = []
    for result in results:
        cases = [_case(result.host, finding) for finding in result.findings]
        if result.unreachable:
            cases.append(_unreachable(result.host, result.unreachable))
        for case in cases:  # one look answers all of a host's checks: each has its share of the time
            case.set("time", f"{result.seconds / len(cases):.3f}")
        suite = ET.SubElement(root, "testsuite", name=result.host, timestamp=result.started_at)
        suite.attrib |= _totals(cases, result.seconds)
        suite.extend(cases)
        every += cases
    root.attrib |= _totals(every, sum(result.seconds for result in results))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _totals(cases: Sequence[ET.Element], seconds: float) -> dict[str, str]:
    tally = Counter(child.tag for case in cases for child in case)
    counts = {"tests": len(cases), "failures": tally["failure"], "errors": tally["error"]}
    counts["skipped"] = tally["skipped"]
    return {name: str(count) for name, count in counts.items()} | {"time": f"{seconds:.3f}"}


def _case(host: str, finding: Finding) -> ET.Element:
    case = ET.Element("testcase", classname=f"hft.{host}", name=finding.check)
    tag = {
        Verdict.VIOLATED: "failure",
        Verdict.UNVERIFIABLE: "error",
        Verdict.NOT_APPLICABLE: "skipped",
    }.get(finding.verdict)
    if tag is not None:
        note = ET.SubElement(case, tag, type=str(finding.reason), message=_xml(finding.message))
        note.text = _xml(f"expected: {finding.expected}\nobserved: {finding.observed}\nwhy: {finding.why}")
    return case


def _unreachable(host: str, note: str) -> ET.Element:
    case = ET.Element("testcase", classname=f"hft.{host}", name="reachable")
    ET.SubElement(case, "error", type="unreachable", message=_xml(note))
    return case


def _xml(text: str) -> str:
    """Host text may hold characters that XML 1.0 cannot represent."""
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
