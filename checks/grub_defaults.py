"""What the next update-grub would take from the host's defaults: which entry, and how long its menu waits.

grub-mkconfig is a shell that reads /etc/default/grub and then default/grub.d/*.cfg in the order of their
names; a later assignment wins (grub-mkconfig(8), util/grub-mkconfig.in). A kernel update runs it. A line that
is one plain assignment is certain; behind the first line of another kind, and for a value that the shell
computes, nothing is. Where a locale may order names otherwise than bytes do, both orders count.

Nothing here is shared with what plans, renders or runs on the host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checks.errors import CheckError
from checks.facts import Facts

DEFAULTS, FOLDER = "/etc/default/grub", "/etc/default/grub.d"
OURS_BY_DEFAULT = ("", "0", "saved", "hft-good")  # our entries come first; a saved one is judged as it stands
WAIT_MAX_S = 600
_VALUE = r"(?:\"[^\"]*\"|'[^']*'|`[^`]*`|[^\s;&|<>()\"'`]+)*"
_ASSIGNMENT = re.compile(rf"\s*(?:export\s+)?([A-Za-z_]\w*)=({_VALUE})\s*(?:#.*)?;?")
_COMPUTED = re.compile(r"[$`\\*?]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a file gives a name; None is a value that its text does not tell."""

    path: str
    value: str | None


def problem_of_defaults(facts: Facts) -> str | None:
    """What would be wrong with the menu that the next update-grub writes, with the file; None: nothing.

    CheckError where the defaults do not tell.
    """
    for name, is_good in _RULES.items():
        said = [one for order in orders(facts) for one in last_said(facts, order, name)]
        bad = [one for one in said if one.value is None or not is_good(one.value)]
        if not bad:
            continue
        shown = f"{bad[0].path} gives {name}={(bad[0].value or 'something computed')[:40]}"
        if len(bad) < len(said) or any(one.value is None for one in bad):
            raise CheckError(f"{shown}, or not: what the next update-grub writes is not known")
        return (
            f"{shown}, so the menu that the next update-grub writes would {_WOULD[name]}; take it out there"
        )
    return None


def orders(facts: Facts) -> tuple[tuple[str, ...], ...]:
    """The files in the orders in which a shell may read them; CheckError when they are not all known."""
    for path, why in facts.unreadable.items():
        if path == FOLDER or path.startswith((f"{FOLDER}/", DEFAULTS)):
            raise CheckError(f"{path}: {why}")
    if DEFAULTS not in facts.files and DEFAULTS not in facts.absent:
        raise CheckError(f"{DEFAULTS} is not in the host's answer")
    files = [path for path in facts.files if path.startswith(f"{FOLDER}/") and path.endswith(".cfg")]
    first = (DEFAULTS,) if DEFAULTS in facts.files else ()
    by_bytes = (*first, *sorted(files, key=str.encode))
    by_letters = (*first, *sorted(files, key=lambda path: (re.sub(r"[^0-9a-z]", "", path.casefold()), path)))
    return tuple(dict.fromkeys((by_bytes, by_letters)))


def last_said(facts: Facts, order: tuple[str, ...], name: str) -> list[Said]:
    """What the last of these files says of NAME: one value, or several where it may be any of them."""
    found: list[Said] = []
    for path in order:
        for value, is_certain in assignments(facts.files[path], name):
            found = [*([] if is_certain else found), Said(path=path, value=value)]
    return found


def assignments(text: str, name: str) -> Iterator[tuple[str | None, bool]]:
    """The values that a shell script gives NAME, and whether it comes to give them."""
    is_plain = True
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(line)
        is_plain = is_plain and match is not None
        if match and match[1] == name:
            value = re.sub("[\"']", "", match[2])
            yield None if _COMPUTED.search(match[2]) else value, is_plain
        elif not match and re.search(rf"\b{name}\b", line):
            given = re.findall(rf"\b{name}=({_VALUE})", line)
            for text_of in given or ["$"]:
                yield None if _COMPUTED.search(text_of) else re.sub("[\"']", "", text_of), False


def _is_short(value: str) -> bool:
    """A time that grub_menu_get_timeout() reads as a small number; an empty one is grub-mkconfig's own."""
    return value == "" or (re.fullmatch(r"[0-9]{1,9}", value) is not None and int(value) <= WAIT_MAX_S)


_TIMEOUTS = ("GRUB_TIMEOUT", "GRUB_RECORDFAIL_TIMEOUT", "GRUB_HIDDEN_TIMEOUT", "GRUB_TIMEOUT_BUTTON")
_RULES: dict[str, Callable[[str], bool]] = {
    "GRUB_DEFAULT": lambda value: value in OURS_BY_DEFAULT,
    **dict.fromkeys(_TIMEOUTS, _is_short),
}
_WOULD = {"GRUB_DEFAULT": "start another entry than ours", **dict.fromkeys(_TIMEOUTS, "wait for a key")}
