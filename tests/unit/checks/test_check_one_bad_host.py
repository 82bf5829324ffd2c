"""A fault of one host is a finding of that host: the others are judged, and everything is delivered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from checks import suite
from checks.document import document_of, junit_of
from checks.errors import CheckError
from checks.suite import Options, check_hosts
from checks.verdict import Verdict
from hft.errors import Exit
from hft.verbs.check import exit_code_of
from inventory.model import Host, Identity, Site
from transport.errors import UnreachableError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMz"
TUNED_MACHINE = "5d065bcd50c94535b7fcb405d74f838d"


def host(number: int) -> Host:
    identity = Identity(
        host_keys=(f"{KEY}{number}",), machine_id=TUNED_MACHINE if number == 1 else f"{number:032x}"
    )
    return Host(
        name=f"bench-{number}",
        address=f"192.0.2.{number}",
        role="engine",
        failure_domain="a",
        profile="engine",
        identity=identity,
    )


SITE = Site(name="bench", hosts=tuple(host(number) for number in (1, 2, 3)))


def mark_of(script: bytes) -> str:
    """The marker of an answer is the first line of the script: arguments are seen by every account."""
    return script.decode().partition("\n")[0].removeprefix("mark=")


class FakeLink:
    """A host that answers with a recorded text, or raises."""

    calls = 1

    def __init__(self, inventory_host: Host, answer: str | Exception) -> None:
        self.inventory_host, self.answer = inventory_host, answer

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float, frame: str = "") -> str:
        del argv, timeout_s, frame
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer.replace("@mark", mark_of(stdin))


def checked(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str | Exception]) -> Any:
    @contextmanager
    def links(hosts: Sequence[Host]) -> Iterator[dict[str, FakeLink]]:
        yield {one.name: FakeLink(one, answers[one.name]) for one in hosts}

    monkeypatch.setattr(suite, "open_links", links)
    return check_hosts(SITE, SITE.hosts, Options(effect=False, cache=Path("/nonexistent")), lambda _: None)


FAULTS: tuple[Exception, ...] = (
    CheckError("the answer ended early"),
    ValueError("invalid literal for int() with base 10: 'x0'"),
    KeyError("Tgid"),
    IndexError("list index out of range"),
    TypeError("not a string"),
    AttributeError("no attribute"),
    RecursionError("too deep"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
    ZeroDivisionError("by zero"),
    subprocess.SubprocessError("gone"),
    OSError("disk"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_any_fault_of_one_host_is_its_finding_and_the_others_are_delivered(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    dark = UnreachableError("bench-3", "no answer")
    results = checked(monkeypatch, {"bench-1": fault, "bench-2": fault, "bench-3": dark})
    verdicts = [result.verdict for result in results]
    assert verdicts == [Verdict.UNVERIFIABLE, Verdict.UNVERIFIABLE, None]
    (finding,) = results[0].findings
    assert (finding.check, finding.reason) == ("facts", "facts_cut")
    assert exit_code_of(results) is Exit.UNREACHABLE
    document = json.loads(json.dumps(document_of("bench", results, 7)))
    assert [one["host"] for one in document["hosts"]] == ["bench-1", "bench-2", "bench-3"]
    assert junit_of("bench", results).count("<testsuite ") == 3


def test_another_machine_under_the_name_is_not_judged(monkeypatch: pytest.MonkeyPatch, recorded: str) -> None:
    answers: dict[str, str | Exception] = dict.fromkeys(("bench-1", "bench-2", "bench-3"), recorded)
    enrolled, other, third = checked(monkeypatch, answers)
    assert len(enrolled.findings) > 20
    for result in (other, third):
        (finding,) = result.findings
        assert (finding.check, finding.reason) == ("identity", "other_machine")
        assert TUNED_MACHINE in finding.message
        assert (result.tuned, result.expected, result.kernel) == (False, None, "")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_answer_cut_anywhere_is_that_hosts_finding(
    monkeypatch: pytest.MonkeyPatch, recorded: str, cut: float
) -> None:
    answers: dict[str, str | Exception] = {
        "bench-1": recorded[: int(len(recorded) * cut)],
        "bench-2": CheckError("x"),
        "bench-3": UnreachableError("bench-3", "no answer"),
    }
    first, *_ = checked(monkeypatch, answers)
    assert first.verdict is Verdict.UNVERIFIABLE
    assert first.findings[-1].reason in {"facts_cut", "other_machine"}


def test_interrupt_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Link(FakeLink):
        def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float, frame: str = "") -> str:
            raise KeyboardInterrupt

    @contextmanager
    def links(hosts: Sequence[Host]) -> Iterator[dict[str, FakeLink]]:
        yield {one.name: Link(one, "") for one in hosts}

    monkeypatch.setattr(suite, "open_links", links)
    with pytest.raises(KeyboardInterrupt):
        check_hosts(SITE, SITE.hosts, Options(effect=False, cache=Path("/nonexistent")), lambda _: None)
