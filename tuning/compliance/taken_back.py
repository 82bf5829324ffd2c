"""Which words of a host's command lines take back its plan: of the running one, and of what entries inherit.

The menu of a host keeps the base line from before its first plan (boot/grub/hft.cfg, one JSON comment): a
word in it would return with the next candidate, long after it has left the running line.
"""

from __future__ import annotations

from tuning.compliance.cmdline import parse_cmdline
from tuning.cpuset import CPU_DIR
from tuning.plan.plan import Plan
from tuning.plan.taken_back import TakenBack, words_that_take_back
from tuning.snapshot.boot_menu import base_words
from tuning.snapshot.files import Snapshot
from tuning.snapshot.values import Source


def taken_back(plan: Plan | None, snapshot: Snapshot) -> tuple[TakenBack, ...]:
    """The words of the running line that take back this plan (None: any plan)."""
    words = parse_cmdline(snapshot.text("/proc/cmdline") or "")
    if plan is None:
        return words_that_take_back(words, None, None)
    siblings = _has_siblings(plan, snapshot)
    return words_that_take_back(words, _keys(plan), _cpu_count(plan), has_siblings=siblings)


def words_to_leave_out(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """The words, as written, that the next entry must not inherit."""
    running = (snapshot.text("/proc/cmdline") or "").split()
    keys, count, siblings = _keys(plan), _cpu_count(plan), _has_siblings(plan, snapshot)
    wrong = {
        word
        for word in (*running, *base_words(snapshot))
        if '"' not in word and words_that_take_back(parse_cmdline(word), keys, count, has_siblings=siblings)
    }
    return tuple(sorted(wrong))


def _keys(plan: Plan) -> frozenset[str]:
    return frozenset(setting.key for setting in plan.settings)


def _cpu_count(plan: Plan) -> int:
    return max((one.cpu for one in plan.cpus), default=-1) + 1


def _has_siblings(plan: Plan, snapshot: Snapshot) -> bool:
    """Whether two CPUs of the plan share a core, or one does not run, which may be a sibling that is off."""
    source, planned = Source(snapshot), {one.cpu for one in plan.cpus}
    online = source.cpus(f"{CPU_DIR}/online")
    if online is not None and planned - set(online):
        return True
    shared = (source.cpus(f"{CPU_DIR}/cpu{cpu}/topology/thread_siblings_list") for cpu in planned)
    return any(len(planned & set(one)) > 1 for one in shared if one is not None)
