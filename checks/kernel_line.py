"""A kernel command line as the kernel reads it, and whether it carries the arguments of a plan.

The same functions judge the line that was booted (/proc/cmdline) and the one that GRUB would hand over next.
The rules are those of next_arg() in lib/cmdline.c and parse_args() in kernel/params.c: blanks separate words
outside of double quotes, a quote may open anywhere, `-` and `_` are equal in names, and a bare `--` gives the
rest to init. The last occurrence of an argument counts, with two exceptions: two lists of isolated CPUs must
agree (kernel/sched/isolation.c drops one that does not), and a hugepage count belongs to the size before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.errors import CheckError
from checks.reading import Cpus, cpus_of_list
from tuning.plan.setting import KernelArg

Word = tuple[str, str]

LINE_MAX = 2047  # COMMAND_LINE_SIZE of x86 and arm64 without its NUL: what is longer is cut without a word
BLANKS = " \t\n\v\f\r"
CPU_LIST_ARGUMENTS = frozenset({"isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity", "kthread_cpus"})
ALL_AGREE = frozenset({"isolcpus", "nohz_full"})
IN_ORDER = frozenset({"default_hugepagesz", "hugepagesz", "hugepages"})  # a size owns the count after it
FLAGS = frozenset({"domain", "managed_irq", "nohz"})  # flags that isolcpus= takes before its list


def words_of_line(text: str) -> tuple[Word, ...]:
    """(name, value) of each argument that is the kernel's own, in order; a bare word has the empty value."""
    found: list[Word] = []
    rest = text[:LINE_MAX].lstrip(BLANKS)
    while rest:
        name, value, rest = _first(rest)
        if name == "--" and value is None:
            break
        found.append((canonical(name), value or ""))
    return tuple(found)


def canonical(name: str) -> str:
    """A name as arguments are compared by it: `-` and `_` are equal."""
    return name.replace("-", "_")


def _first(text: str) -> tuple[str, str | None, str]:
    """Name and value of the first word, None for a word without `=`, and what follows it."""
    quoted = text.startswith('"')
    body = text[1:] if quoted else text
    end, inside = len(body), quoted
    for place, char in enumerate(body):
        if char in BLANKS and not inside:
            end = place
            break
        inside ^= char == '"'
    word, rest = body[:end], body[end:].lstrip(BLANKS)
    if quoted and word.endswith('"'):
        word = word[:-1]
    equals = word.find("=", 1)
    if equals < 0:
        return word, None, rest
    name, value = word[:equals], word[equals + 1 :]
    if value.startswith('"'):
        value = value[1:].removesuffix('"') if not quoted else value[1:]
    return name, value, rest


def cpus_of_argument(value: str, highest: int | None = None) -> Cpus:
    """The CPUs of an argument such as `managed_irq,domain,2-3`: the words before the list are flags."""
    return cpus_of_list(_split(value)[1], highest)


def _split(value: str) -> tuple[frozenset[str], str]:
    """Flags, which come first (kernel/sched/isolation.c), and the list behind them."""
    flags, rest = set(), value
    while (head := rest.partition(","))[0] in FLAGS:
        flags.add(head[0])
        rest = head[2]
    return frozenset(flags), rest


def problem_of_argument(
    setting: KernelArg, planned: Sequence[KernelArg], words: Sequence[Word], highest: int | None
) -> tuple[str, str] | None:
    """Why a line does not carry a planned argument: reason code and what is there; None when it does.

    PLANNED are all arguments of the plan, HIGHEST is the last possible CPU (None: not known).
    """
    name = canonical(setting.name)
    seen = [value for word, value in words if word == name]
    if not seen:
        return "arg_missing", "absent"
    there = " ".join(f"{name}={value}" if value else name for value in seen)
    if name in IN_ORDER:
        sizes = [(canonical(one.name), one.value) for one in planned if canonical(one.name) in IN_ORDER]
        same = [word for word in words if word[0] in IN_ORDER] == sizes
        there = " ".join(f"{word}={value}" for word, value in words if word in IN_ORDER)
    elif name in CPU_LIST_ARGUMENTS:
        judged = seen if name in ALL_AGREE else seen[-1:]
        same = all(_same_list(name, value, setting.value, highest) for value in judged)
    else:
        same = seen[-1] == setting.value
    return None if same else ("arg_differs", there)


def _same_list(name: str, seen: str, wanted: str, highest: int | None) -> bool:
    flags = _split if name == "isolcpus" else lambda value: (frozenset[str](), value)
    (here, cpus), (planned, wanted_cpus) = flags(seen), flags(wanted)
    try:
        return here == planned and cpus_of_list(cpus, highest) == cpus_of_list(wanted_cpus, highest)
    except CheckError:
        return False  # the kernel refuses such a list as a whole
