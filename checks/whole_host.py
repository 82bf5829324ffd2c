"""What the host as a whole is asked for: no idle states, no swap. Judged by what the kernel answers.

A unit that runs proves nothing of what it holds: the device says what all its holders ask for together. Swap
is masked for the next boot; what is in use now, only /proc/swaps knows.
"""

from __future__ import annotations

from checks.expected import Expected
from checks.facts import Facts
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from tuning.plan.setting import UnitState

AWAKE_UNIT = "hft-awake.service"
SWAP = "swap.target"
SWAPS = "/proc/swaps"


def dma_latency(expected: Expected, facts: Facts) -> Finding:
    """Where the plan holds the latency at zero, the device reads zero."""
    check, why = "power.dma_latency", "a CPU that sleeps answers late, whatever it is asked"
    wish = _wish(expected, AWAKE_UNIT)
    if wish is None or not wish.active:
        return not_applicable(check, "not_in_plan", "the plan holds no CPU of the host awake", why=why)
    seen = facts.latency_us
    if seen is None:
        said = "/dev/cpu_dma_latency is not in the host's answer"
        return unverifiable(check, "not_read", said, expected="0", why=why)
    if seen > 0:
        said = f"the host as a whole is asked for {seen} us, so CPUs may sleep; {AWAKE_UNIT} holds nothing"
        return violated(check, "latency_not_held", said, expected="0", observed=str(seen), why=why)
    return ok(check, "no CPU of the host may sleep", expected="0", observed=str(seen), why=why)


def swap(expected: Expected, facts: Facts) -> Finding:
    """Where the plan takes swap away, none is in use."""
    check, why = "memory.swap", "a page that was swapped out is a wait for a disk"
    if _wish(expected, SWAP) is None:
        return not_applicable(check, "not_in_plan", "the plan leaves swap as it is", why=why)
    text = facts.text(SWAPS)
    if text is None:
        return unverifiable(check, *facts.unknown(SWAPS), expected="none", why=why)
    used = [line.split()[0] for line in text.splitlines()[1:] if line.strip()]
    if used:
        said = f"swap is in use on {', '.join(used)}"
        return violated(check, "swap_in_use", said, expected="none", observed=", ".join(used), why=why)
    return ok(check, "no swap is in use", expected="none", observed="none", why=why)


def _wish(expected: Expected, unit: str) -> UnitState | None:
    return next(
        (one for one, _ in expected.settings if isinstance(one, UnitState) and one.unit == unit), None
    )
