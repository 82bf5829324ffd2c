"""Nothing decides by what it tells people: no message, reason or hint is searched, cut or compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.checkout import ROOT, tracked
from tests.support.told_texts import TEXTS, readings

ROOMS = (
    "agent",
    "checks",
    "deploys",
    "drills",
    "failover",
    "hft",
    "inventory",
    "lab",
    "monitoring",
    "release",
    "transport",
    "tuning",
)
# In `checks` a reason is a code of the closed list REASONS (checks/verdict.py), and never a sentence.
CODES = {"checks": frozenset({"reason"})}
# Place -> why it may.
ALLOWED = {
    (
        "transport/ssh.py",
        "_unreachable",
    ): "ssh(1) has one exit code for all: another host key is in its words",
    (
        "tuning/plan/invariants.py",
        "_whys",
    ): "it holds each sentence to its fact: that is what it reads them for",
    ("checks/interrupts.py", "irqs_outside"): "`held.why` maps interrupts to errno, it is no text",
    ("checks/ports.py", "_served"): "the same mapping",
    ("checks/tasks.py", "kthreads_outside"): "the same mapping",
}


def test_no_told_text_is_read() -> None:
    seen, wrong = set(), []
    for path in tracked(*(f"{room}/**.py" for room in ROOMS), "engine/host/**.py"):
        name = str(path.relative_to(ROOT))
        for one in readings(path, name, TEXTS - CODES.get(path.relative_to(ROOT).parts[0], frozenset())):
            seen.add((one.path, one.function))
            if (one.path, one.function) not in ALLOWED:
                wrong.append(f"{one.path}:{one.line}: {one.code}")
    assert not wrong, "give it a field:\n" + "\n".join(wrong)
    assert seen == set(ALLOWED), f"nothing to allow there: {set(ALLOWED) - seen}"


@pytest.mark.parametrize(
    "line",
    [
        "if 'not everything' in str(error): pass",
        "if one.message.startswith('not known'): pass",
        "said = ' '.join(str(error).split()); x = said.partition(': ')[2]",
        "x = pending.sentence.removesuffix('x')",
        "x = re.search('x', f'{error}')",
        "x = [line for line in done.stderr.splitlines() if 'busy' in line]",
        "for line in outcome.reason.split(';'): x = line.strip().endswith('s')",
        "if (said := error.hint) == 'run it again': pass",
        "if as_planned(work).sentence().lower() in KNOWN: pass",
    ],
)
def test_a_reading_is_found(line: str, tmp_path: Path) -> None:
    source = f"def decide(error: HostError) -> None:\n    {line}\n"
    (tmp_path / "x.py").write_text(source)
    assert list(readings(tmp_path / "x.py", "x.py")), line


@pytest.mark.parametrize(
    "line",
    [
        "if not error.message or error.hint == '': pass",
        "x = f'{error.host}: {error.message}'",
        "x = ' '.join(str(error).split())[:300]",
        "if error.code == 'busy' or error.returncode in (1, 2): pass",
        "x = done.stdout.startswith('yes')",
    ],
)
def test_whether_there_is_a_text_may_be_asked(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(f"def decide(error: HostError) -> None:\n    {line}\n")
    assert not list(readings(tmp_path / "x.py", "x.py")), line
