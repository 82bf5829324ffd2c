"""How the demo ends red: which host, which finding, what to run next; and when it is not the hosts' doing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from checks.machine import MachineLoad
from checks.verdict import Finding, ok, unverifiable, violated
from hft.errors import Exit
from hft.verbs.demo import failed_proof, open_findings, red_end

QUIET = MachineLoad(
    window_s=20, load=1.0, vms_percent=70, others_percent=3, steal_percent=0, busiest=("ssh 2 % of a CPU",)
)
BUSY = dataclasses.replace(QUIET, others_percent=60, load=12.5, busiest=("cc1plus 118 % of a CPU",))
SECOND_TASK = violated(
    "effect.cpu2.timer_interrupts",
    "timer_interrupts",
    "CPU 2: 2715 timer interrupts in 20 s, at most 5 allowed; likely: a second runnable task",
)
UNREADABLE = unverifiable("irq.routes", "not_readable", "/proc/irq/24/smp_affinity_list cannot be read")


def document(code: Exit, *findings: Finding, dark: str | None = None) -> dict[str, Any]:
    told = [dataclasses.asdict(finding) for finding in (*findings, ok("cpu.online", "fine"))]
    host = {"host": "engine-2", "unreachable": dark, "findings": [] if dark else told}
    return {"exit_code": int(code), "hosts": [host]}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            document(Exit.VIOLATED, SECOND_TASK),
            ("engine-2", "violated", "effect.cpu2.timer_interrupts", "2715", "at most 5", "--limit engine-2"),
        ),
        (
            document(Exit.UNVERIFIABLE, UNREADABLE),
            ("engine-2", "unverifiable", "irq.routes", "not_readable", "smp_affinity_list"),
        ),
        (
            document(Exit.UNREACHABLE, dark="engine-2: no answer within 60 s"),
            ("engine-2: no answer within 60 s", "run: hft status engine-2"),
        ),
    ],
)
def test_a_red_proof_names_host_finding_count_limit_and_the_next_command(
    found: dict[str, Any], words: tuple[str, ...]
) -> None:
    (line,) = open_findings(found)
    assert all(word in line for word in words), line
    assert "1 findings above" in failed_proof(found, Path("report.html"))


@pytest.mark.parametrize("code", [Exit.UNREACHABLE, Exit.UNVERIFIABLE, Exit.ROLLED_BACK, Exit.NOT_JUDGED])
def test_a_command_that_ends_badly_on_a_busy_machine_is_not_judged_and_names_who_was_busy(code: Exit) -> None:
    error = red_end(("status",), int(code), (0, 6), BUSY)
    assert error.exit_code is Exit.NOT_JUDGED
    assert "could not be judged" in str(error)
    assert "cc1plus 118 % of a CPU" in str(error)


@pytest.mark.parametrize(
    ("code", "machine"),
    [
        (Exit.UNREACHABLE, QUIET),
        (Exit.ROLLED_BACK, QUIET),
        (Exit.VIOLATED, BUSY),
        (Exit.BAD_INPUT, BUSY),
        (Exit.INTERNAL, BUSY),
    ],
)
def test_any_other_bad_end_keeps_its_code(code: Exit, machine: MachineLoad) -> None:
    error = red_end(("drill", "engine-1=panic"), int(code), (0,), machine)
    assert error.exit_code is code
    assert f"`hft drill engine-1=panic` ended with {int(code)}, expected 0" in str(error)
