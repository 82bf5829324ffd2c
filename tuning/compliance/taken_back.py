"""Which words of a host's command lines take back its plan: of the running one, and of what entries inherit.

The menu of a host keeps the base line from before its first plan (boot/grub/hft.cfg, one JSON comment): a
word in it would return with the next candidate, long after it has left the running line.
"""

from __future__ import annotations

from tuning.compliance.cmdline import parse_cmdline
from tuning.plan.plan import Plan
from tuning.plan.taken_back import TakenBack, words_that_take_back
from tuning.snapshot.boot_menu import base_words
from tuning.snapshot.files import Snapshot


def taken_back(plan: Plan | None, snapshot: Snapshot) -> tuple[TakenBack, ...]:
    """The words of the running line that take back this plan (None: any plan)."""
    words = parse_cmdline(snapshot.text("/proc/cmdline") or "")
    if plan is None:
        return words_that_take_back(words, None, None)
    return words_that_take_back(words, _keys(plan), _cpu_count(plan))


def words_to_leave_out(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """The words, as written, that the next entry must not inherit."""
    running = (snapshot.text("/proc/cmdline") or "").split()
    keys, count = _keys(plan), _cpu_count(plan)
    wrong = {
        word
        for word in (*running, *base_words(snapshot))
        if '"' not in word and words_that_take_back(parse_cmdline(word), keys, count)
    }
    return tuple(sorted(wrong))


def _keys(plan: Plan) -> frozenset[str]:
    return frozenset(setting.key for setting in plan.settings)


def _cpu_count(plan: Plan) -> int:
    return max((one.cpu for one in plan.cpus), default=-1) + 1
