"""The whole run without a VM: `hft check` and plain pytest over an ssh(1) that leads back to this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks import store
from checks.document import junit_of
from checks.facts import Facts
from checks.link import open_links
from checks.page import page_of
from checks.suite import HostResult
from checks.verdict import REASONS, Finding, Verdict, worst
from hft.errors import Exit
from hft.verbs.check import exit_code_of
from inventory.load import load_site
from tests.support.checkout import ROOT
from tests.support.hft_here import hft_here
from transport.errors import UnreachableError
from transport.options import STRICT
from transport.ssh import Ssh
from tuning.plan.plan import CpuDecision, Plan
from tuning.plan.setting import Sysctl

pytestmark = pytest.mark.long

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM"
SITE = f"""\
name = "here"
[[hosts]]
name = "a"
address = "127.0.0.1"
role = "engine"
failure_domain = "d"
profile = "engine"
host_class = "lab-vm"
[hosts.identity]
host_keys = ["{KEY}"]
machine_id = "{"0" * 32}"
[[hosts]]
name = "ops"
address = "127.0.0.2"
role = "ops"
failure_domain = "d"
"""
LOOPBACK = """#!/bin/sh
case "$*" in *" -O exit "*) exit 0 ;; esac
echo call >> "$FAKE_SSH_LOG"
for last; do :; done
[ -n "$FAKE_SSH_SAYS" ] && { echo "$FAKE_SSH_SAYS" >&2; exit 255; }
exec sh -c "$last"
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


@pytest.fixture(autouse=True)
def loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh that runs the remote command here, as the enrolled machine, and a state directory of its own."""
    monkeypatch.setattr(Facts, "machine_id", property(lambda _self: "0" * 32))
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "ssh"
    fake.write_text(LOOPBACK)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SSH_LOG", str(tmp_path / "ssh.log"))
    monkeypatch.setenv("FAKE_SSH_SAYS", "")
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    return tmp_path / "ssh.log"


@pytest.fixture
def hft(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> tuple[int, str, str]:
        said = hft_here(capsys, *words)
        return said.code, said.out, said.err

    return run


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan for this machine: its last CPU for the engine."""
    cpus = sorted(os.sched_getaffinity(0))
    roles = {cpu: "engine" if cpu == cpus[-1] and len(cpus) > 1 else "housekeeping" for cpu in cpus}
    decisions = tuple(CpuDecision(cpu=cpu, node=0, role=role, why="test") for cpu, role in roles.items())  # type: ignore[arg-type]
    wish = Sysctl(key="vm.stat_interval", value="12345", mode="safe", risk="r", source="s", why="w")
    made = Plan(profile="engine", topology_digest="0" * 64, cpus=decisions, settings=(wish,))
    path = tmp_path / "plan.json"
    path.write_text(made.to_json())
    return path


def conforms(value: Any, schema: dict[str, Any], whole: dict[str, Any], at: str = "$") -> None:
    """The part of JSON Schema that our schema uses."""
    if "$ref" in schema:
        return conforms(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole, at)
    if "anyOf" in schema:
        return conforms(value, schema["anyOf"][0 if value is None else 1], whole, at)
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    assert not wanted or any(isinstance(value, kinds[kind]) for kind in wanted), (
        f"{at}: {value!r} is no {wanted}"
    )
    assert value == schema.get("const", value), at
    assert value in schema.get("enum", [value]), f"{at}: {value!r}"
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), at
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        assert more is not False or value.keys() <= known.keys(), f"{at}: {value.keys() - known.keys()}"
        for key, item in value.items():
            conforms(item, known.get(key, more if isinstance(more, dict) else {}), whole, f"{at}.{key}")
    if isinstance(value, list):
        for item in value:
            conforms(item, schema.get("items", {}), whole, f"{at}[]")
    return None


def test_untuned_machine_is_measured_and_said_to_be_untuned(
    hft: Run, site: Path, plan: Path, tmp_path: Path, loopback: Path
) -> None:
    files = [tmp_path / "r.html", tmp_path / "r.xml"]
    words = ("check", "--inventory", site, "--limit", "a", "--plan", plan, "--window", "1", "--json")
    code, out, _ = hft(*words, "--html", files[0], "--junit", files[1])
    document = json.loads(out)
    schema = json.loads((ROOT / "docs/schema/check.schema.json").read_text())
    conforms(document, schema, schema)
    (host,) = document["hosts"]
    reasons = {finding["check"]: finding["reason"] for finding in host["findings"]}
    assert code == document["exit_code"] == Exit.VIOLATED
    assert reasons["plan.committed"] == "no_plan"
    assert reasons["setting.vm.stat_interval"] == "value_differs"
    assert reasons["evidence.interrupts"] is None
    assert host["round_trips"] == 2
    assert loopback.read_text() == "call\n" * 2
    if len(os.sched_getaffinity(0)) > 1:
        cpu = max(os.sched_getaffinity(0))
        assert reasons[f"effect.cpu{cpu}.timer_interrupts"] in ("timer_interrupts", "no_positive_control")
        assert store.load_untuned("here", "a") is not None
    assert not list(Path("/var/tmp").glob("hft-check.*"))
    assert "http" not in files[0].read_text().replace("https://json-schema", "")
    assert ET.parse(files[1]).getroot().find("testsuite").get("name") == "a"  # type: ignore[union-attr]
    assert json.loads((tmp_path / "state/checks/here/a.json").read_text())["verdict"] == "violated"


def test_machine_without_a_plan_is_unverifiable_and_not_loaded(hft: Run, site: Path) -> None:
    code, out, _ = hft("check", "--inventory", site)
    assert code == Exit.UNVERIFIABLE
    assert "no_plan" in out


def test_dark_host_is_unreachable_and_says_why(hft: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SSH_SAYS", "Host key verification failed.")
    code, out, _ = hft("check", "--inventory", site)
    assert code == Exit.UNREACHABLE
    assert "unreachable a: cannot reach 127.0.0.1 port 22: it presents a host key other than" in " ".join(
        out.split()
    )


@pytest.mark.parametrize("option", ["--junit", "--html"])
def test_a_report_that_cannot_be_written_is_refused_before_any_host_is_asked(
    option: str, hft: Run, site: Path, tmp_path: Path, loopback: Path
) -> None:
    for path in (tmp_path / "no" / "such" / "file", tmp_path):
        code, _, err = hft("check", "--inventory", site, option, path)
        assert code == Exit.BAD_INPUT, err
    assert not loopback.exists(), "nobody was asked"


def test_a_report_that_fails_later_hides_no_verdict(
    hft: Run, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SSH_SAYS", "Connection refused")
    code, out, err = hft("check", "--inventory", site, "--html", "/dev/full")
    assert code == Exit.UNREACHABLE, "the verdict's code, not the report's"
    assert "unreachable a:" in out
    assert "/dev/full: cannot be written" in err
    code, _, _ = hft("check", "--inventory", site, "--html", tmp_path / "r.html")
    assert [path.name for path in tmp_path.glob("*r.html*")] == ["r.html"], "nothing is left beside it"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--window", "nan"), "no number of seconds"),
        (("--window", "inf"), "range"),
        (("--limit", "ops"), "nothing to check"),
        (("--limit", "b"), "no host is called"),
        (("--config-only", "--effect-only"), "zero checks"),
        (("--plan", "/nonexistent"), "No such file"),
        (("--plan", "/etc/hostname"), "not a plan"),
        (("--window", "0"), "range"),
    ],
)
def test_wrong_call_is_one_sentence_and_bad_input(
    words: tuple[str, ...], says: str, hft: Run, site: Path
) -> None:
    code, out, err = hft("check", "--inventory", site, *words)
    assert code == Exit.BAD_INPUT
    assert says in out + err
    assert "Traceback" not in out + err


def test_dark_host_is_told_by_pytest_as_an_error(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SSH_SAYS", "Connection refused")
    junit = tmp_path / "p.xml"
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "checks",
        "--inventory",
        str(site),
        "--limit",
        "a",
        f"--junitxml={junit}",
        "-q",
    ]
    done = subprocess.run(
        [*argv, "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    suite = ET.parse(junit).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")


@pytest.mark.parametrize("words", [("--limit", "ops"), ("--limit", "b"), ("--config-only", "--effect-only")])
def test_pytest_over_nothing_is_a_usage_error(words: tuple[str, ...], site: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "checks",
        "--inventory",
        str(site),
        *words,
        "-n",
        "0",  # in one process: the test above is the one over several
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "passed" not in done.stdout


def finding(check: str, verdict: Verdict) -> Finding:
    reason = None if verdict is Verdict.OK else next(iter(REASONS[verdict]))
    return Finding(check=check, verdict=verdict, reason=reason, message="<script>&\x1b[31m")


def result(*verdicts: Verdict, unreachable: str | None = None) -> HostResult:
    found = tuple(finding(f"x.{n}", verdict) for n, verdict in enumerate(verdicts))
    return HostResult(
        host="h", started_at="2026-01-01T00:00:00+00:00", findings=found, unreachable=unreachable
    )


def test_junit_maps_each_verdict_to_its_own_outcome() -> None:
    suite = ET.fromstring(junit_of("s", [result(*Verdict)])).find("testsuite")
    assert suite is not None
    tally = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert tally == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}


def test_junit_has_totals_and_a_time_for_each_case() -> None:
    results = [dataclasses.replace(result(*Verdict), seconds=2.0), result(unreachable="dark")]
    root = ET.fromstring(junit_of("s", results))
    assert root.attrib.items() >= {"tests": "5", "failures": "1", "errors": "2", "skipped": "1"}.items()
    assert float(root.attrib["time"]) == pytest.approx(2.0)
    assert sum(float(case.attrib["time"]) for case in root.iter("testcase")) == pytest.approx(2.0)


def test_unreachable_host_errs_in_junit() -> None:
    suite = ET.fromstring(junit_of("s", [result(unreachable="dark")])).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_text_of_a_host_is_escaped_in_the_report() -> None:
    page = page_of("s", [result(*Verdict), result(unreachable="<b>dark")], {"by": "<i>me"})
    assert "<script>" not in page
    assert "<b>dark" not in page


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], Exit.BAD_INPUT),
        ([result(Verdict.OK)], Exit.OK),
        ([result(Verdict.OK, Verdict.NOT_APPLICABLE)], Exit.OK),
        ([result(Verdict.NOT_APPLICABLE)], Exit.UNVERIFIABLE),
        ([result()], Exit.UNVERIFIABLE),
        ([result(Verdict.OK), result(Verdict.OK, Verdict.UNVERIFIABLE)], Exit.UNVERIFIABLE),
        ([result(Verdict.UNVERIFIABLE), result(unreachable="dark")], Exit.UNREACHABLE),
        ([result(unreachable="dark"), result(Verdict.VIOLATED, Verdict.UNVERIFIABLE)], Exit.VIOLATED),
    ],
)
def test_worst_of_all_hosts_is_the_exit_code(results: list[HostResult], code: Exit) -> None:
    assert exit_code_of(results) is code


def test_unknown_is_never_a_pass() -> None:
    assert worst([]) is Verdict.UNVERIFIABLE
    with pytest.raises(ValueError, match="cannot have the reason"):
        Finding(check="x", verdict=Verdict.VIOLATED, message="no reason")
    with pytest.raises(ValueError, match="cannot have the reason"):
        Finding(check="x", verdict=Verdict.OK, reason="no_plan", message="a pass with a reason")


def test_every_reason_is_documented_for_on_call() -> None:
    text = (ROOT / "docs/verdicts.md").read_text()
    for heading, verdict in (
        ("Violated", Verdict.VIOLATED),
        ("Unverifiable", Verdict.UNVERIFIABLE),
        ("Not applicable", Verdict.NOT_APPLICABLE),
    ):
        part = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        listed = {line.split("`")[1] for line in part.splitlines() if line.startswith("| `")}
        assert listed == set(REASONS[verdict])


def test_connection_is_strict_and_shared(site: Path) -> None:
    loaded = load_site(site)
    argv = Ssh.of(loaded.hosts[0], control_path="/x/%C").argv(["true"])
    for option, value in STRICT.items():
        shared = {"ControlMaster": "auto", "ControlPath": '"/x/%C"'}
        assert f"{option}={shared.get(option, value)}" in argv
    assert "HostKeyAlias=a" in argv
    (known,) = (word.split("=", 1)[1].strip('"') for word in argv if word.startswith("UserKnownHostsFile="))
    assert Path(known).read_text() == f"a {KEY}\n"
    with open_links(loaded.hosts) as links:
        assert list(links) == ["a"]  # ops is not enrolled: nobody is trusted on first contact


def test_host_that_hangs_is_given_up_after_its_deadline(site: Path) -> None:
    loaded = load_site(site)
    began_s = time.monotonic()
    with open_links(loaded.hosts[:1]) as links, pytest.raises(UnreachableError, match="no answer"):
        links["a"].run(["sleep", "20"], timeout_s=0.5)
    assert time.monotonic() - began_s < 15
