"""The check document: results as JSON (docs/schema/check.schema.json) and as JUnit XML for CI.

JUnit: violated is a failure, unverifiable and unreachable are errors, not applicable is skipped. An
unreachable host is one test case that errs: a report without it would read as a pass.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from checks.meter import Measurement
from checks.reading import list_of
from checks.suite import HostResult
from checks.verdict import Finding, Verdict

SCHEMA = 1
ROWS = ("LOC", "RES", "CAL", "TLB", "IWI", "NMI")


def document_of(site: str, results: Sequence[HostResult], exit_code: int) -> dict[str, Any]:
    """Everything a run said."""
    return {
        "schema": SCHEMA,
        "site": site,
        "exit_code": exit_code,
        "hosts": [host_document(result) for result in results],
    }


def host_document(result: HostResult) -> dict[str, Any]:
    """What one host said."""
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
    if measured is None or "cpus" not in measured.document:
        return None
    cpus = {cpu for row in measured.document["interrupts"] for cpu in row["delta"]}
    return {
        "window_s": round(measured.window_s, 3),
        "cpus": [cpu_counters(measured, int(cpu)) for cpu in sorted(cpus, key=int)],
    }


def cpu_counters(measured: Measurement, cpu: int) -> dict[str, Any]:
    """The counters of one CPU; `mode` says whose work it did."""
    thread: Mapping[str, Any] = measured.thread(cpu) or {}
    engine = [task for task in measured.tasks(cpu) if task["engine"]]
    involuntary = sum(int(task["involuntary"]) for task in engine)
    return {
        "cpu": cpu,
        "mode": thread.get("mode", "observe"),
        "interrupts": {row: measured.row(row, cpu) for row in ROWS},
        "devices": measured.devices(cpu),
        "softirqs": measured.softirqs(cpu),
        "involuntary_switches": thread.get("involuntary", involuntary),
        "run_delay_ns": sum(int(task["run_delay_ns"]) for task in engine),
        "major_faults": thread.get("major_faults", sum(int(task["major_faults"]) for task in engine)),
        "gap_max_us": round(float(thread["gap_max_ns"]) / 1000, 1) if thread else None,
        "tasks": [f"{task['comm']}[{task['tid']}]" for task in measured.tasks(cpu)],
    }


def junit_of(site: str, results: Sequence[HostResult]) -> str:
    """The run as JUnit XML, one suite per host."""
    root = ET.Element("testsuites", name=f"hft check {site}")
    for result in results:
        cases = [_case(result.host, finding) for finding in result.findings]
        if result.unreachable:
            cases.append(_unreachable(result.host, result.unreachable))
        tally = Counter(child.tag for case in cases for child in case)
        suite = ET.SubElement(root, "testsuite", name=result.host, timestamp=result.started_at)
        suite.attrib |= {"tests": str(len(cases)), "time": f"{result.seconds:.1f}"}
        for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(plural, str(tally[tag]))
        suite.extend(cases)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


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
    """Host text may hold characters that XML 1.0 cannot carry at all."""
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
