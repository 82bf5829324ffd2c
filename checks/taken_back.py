"""Arguments that take back a planned one: on the running line, and on the line that boots next.

The table is a value of the plan's room (tuning/plan/taken_back.py); the checks' own reader reads the line.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.expected import Expected
from checks.facts import Facts
from checks.kernel_line import Word, words_of_line
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from transport.hint import command
from tuning.plan.taken_back import TakenBack, words_that_take_back

CHECK = "arguments.taken_back"
WHY = "a word that no plan has can undo one that it has, and every planned word still reads right"


def taken_back(expected: Expected, words: Sequence[Word], facts: Facts) -> tuple[TakenBack, ...]:
    """The words of a line that take back something this plan wants."""
    keys = {setting.key for setting, _ in expected.settings}
    planned = frozenset(expected.roles)
    shares = any(len(facts.cores.get(cpu, frozenset()) & planned) > 1 for cpu in planned)
    has_siblings = shares or bool(planned - facts.online)  # one that does not run may be a sibling
    return words_that_take_back(words, keys, max(planned, default=-1) + 1, has_siblings=has_siblings)


def arguments_taken_back(expected: Expected, facts: Facts) -> Finding:
    """Nothing on the running line takes back the plan."""
    text = facts.text("/proc/cmdline")
    if not expected.settings:
        return not_applicable(CHECK, "not_in_plan", "the plan has no setting", why=WHY)
    if covered := facts.covered("/proc/cmdline"):
        return unverifiable(CHECK, "not_procfs", covered, why=WHY)
    if text is None:
        return unverifiable(CHECK, "not_read", "the command line is not known", why=WHY)
    found = taken_back(expected, words_of_line(text), facts)
    if found:
        said = "; ".join(f"{one.word} takes back {', '.join(one.keys[:4])}: {one.why}" for one in found)
        words = " ".join(one.word for one in found)
        return violated(
            CHECK,
            "arg_takes_back",
            f"{said}; run: {command('apply')}",
            expected="none",
            observed=words,
            why=WHY,
        )
    return ok(CHECK, "no argument takes back a planned one", expected="none", observed="none", why=WHY)
