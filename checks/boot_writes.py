"""What systemd's two programs write into files of the kernel at a boot, in the order in which they do.

Read off systemd 252 (src/sysctl/sysctl.c, src/tmpfiles/tmpfiles.c) and held against it by a seeded test:

- sysctl.d: a key has one place, that of the first of its last equal assignments; a pattern is written in its
  own place, and never to a key that is named in full; `-key` without a value only keeps patterns away.
- tmpfiles.d: of the lines for one path the *first* counts, and a pattern is a path of its own; a `w+` behind
  a `w+` counts, too. `f+` and `F` come before every `w`. A path with `..` is refused.

Nothing here is shared with what plans or renders.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from checks.globs import WILD, reaches, simplified
from checks.systemd_files import Files, in_order

PROC_SYS = "/proc/sys/"
BLANKS = " \t\r\n"
UNKNOWN = "(unknown: "
# Types of tmpfiles.d that share one table by path, so that the first of them keeps the others out.
ONE_LINE_A_PATH = frozenset("wexXrR")
MODIFIERS = frozenset("!-+=~^")
# Writing the first sets the second, too (Documentation/admin-guide/sysctl): order decides between them.
ALSO_SETS: Mapping[str, str] = {
    "/proc/sys/vm/dirty_bytes": "/proc/sys/vm/dirty_ratio",
    "/proc/sys/vm/dirty_background_bytes": "/proc/sys/vm/dirty_background_ratio",
    "/proc/sys/kernel/watchdog": "/proc/sys/kernel/nmi_watchdog",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write at a boot: the file that says so, and the value; None keeps ours from being written.

    SURE: whether it reaches the file that was asked about, or only may.
    """

    path: str
    value: str | None
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A line of tmpfiles.d."""

    kind: str
    target: str
    write: Write
    appends: bool = False  # w+


def last_write(writes: Sequence[Write]) -> Write | None:
    """The last one that is sure; None when there is none."""
    return next((one for one in reversed(writes) if one.sure), None)


def sysctl_writes(files: Files, names: Sequence[str]) -> list[Write]:
    """What systemd-sysctl writes to a file that is known by these names, in order."""
    table: dict[str, Write] = {}
    for path in in_order(files, "sysctl.d"):
        for key, value in _assignments(files[path]):
            if key not in table or table[key].value != value:
                table.pop(key, None)  # it moves to the end
                table[key] = Write(path=path, value=value)
    found = [one for key, one in table.items() if one.value is None and PROC_SYS + key in names]
    for key, one in table.items():
        if one.value is None:
            continue
        for name, others in _targets(names):
            is_named = WILD.search(key) and ".." not in key and name.removeprefix(PROC_SYS) in table
            if not is_named and (reached := _reached(key, one, name, others)):
                found.append(reached)
    return found


def _targets(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Files whose writing decides the value: (path, what it is called when it is another file)."""
    yield from ((name, "") for name in names)
    for setter, what in ALSO_SETS.items():
        if what in names:
            yield setter, setter.removeprefix(PROC_SYS).replace("/", ".")


def _reached(key: str, one: Write, name: str, other: str) -> Write | None:
    if not WILD.search(key) and "{" in key:
        return None  # taken as it stands, and no such file exists
    way = posixpath.normpath(PROC_SYS + key)
    hit = reaches(way, (name,))
    return _write(one, other, sure=bool(hit) and ".." not in key) if hit is not False else None


def _write(one: Write, other: str, *, sure: bool) -> Write | None:
    """As a write to the file that was asked about: OTHER names one that sets it, too, unless it gets 0."""
    if not other:
        return replace(one, sure=sure)
    return None if one.value == "0" else replace(one, sure=sure, value=f"{other} = {one.value}")


def _assignments(text: str) -> Iterator[tuple[str, str | None]]:
    """(key with slashes, value) of each line; None for `-key`, which takes an assignment away."""
    for raw in re.split(r"[\n\r]", text):
        line = raw.strip(BLANKS)
        if not line or line[0] in "#;":
            continue
        name, equals, value = line.partition("=")
        if not equals and not line.startswith("-"):
            continue
        yield _slashed(name.removeprefix("-").strip(BLANKS)), value.strip(BLANKS) if equals else None


def _slashed(name: str) -> str:
    """A key with slashes between its parts: the first of `/` and `.` is the separator (sysctl.d(5))."""
    first = re.search(r"[./]", name)
    if first and first[0] == ".":
        name = name.translate(str.maketrans("/.", "./"))
    return simplified(name).removeprefix("/")


def tmpfiles_writes(files: Files, names: Sequence[str]) -> list[Write]:
    """What systemd-tmpfiles writes to a file at a boot, in order; the first name is the one that we use."""
    early: dict[str, _Rule] = {}
    lines: dict[str, list[_Rule]] = {}
    doubtful: list[_Rule] = []
    for path in in_order(files, "tmpfiles.d"):
        for rule in _rules(path, files[path]):
            if not rule.write.sure:
                doubtful.append(rule)  # where it stands, or whether it keeps ours out, is not told either
            elif rule.kind in ("f", "F"):
                early.setdefault(rule.target, rule)
            elif (here := lines.setdefault(rule.target, [rule]))[0] is not rule:
                here += [rule] if rule.appends and here[0].appends else []
    told = [one for here in lines.values() for one in here]
    kept_out = [one.write for one in told if one.target == names[0] and one.kind != "w"]
    every = (*early.values(), *told, *doubtful)
    return [*kept_out, *(one for rule in every for one in _hits(rule, names))]


def _hits(rule: _Rule, names: Sequence[str]) -> Iterator[Write]:
    is_write = rule.write.value is not None
    if not is_write and rule.write.sure:
        return
    for name, other in _targets(names) if is_write else [(names[0], "")]:
        hit = reaches(rule.target, (name,))
        if hit is not False and (one := _write(rule.write, other, sure=bool(hit) and rule.write.sure)):
            yield one


def _rules(path: str, text: str) -> Iterator[_Rule]:
    """The lines of tmpfiles.d(5) that write (w; F: before all others) or keep others out.

    Not sure is one with unknown modifiers, and one with escapes or specifiers in its path: they stand
    as wildcards, because versions of systemd differ in what they make of them.
    """
    for raw in re.split(r"[\n\r]", text):
        words = _words(raw.strip(BLANKS))
        if words is None:
            continue
        letter, more, (target, told) = words[0][:1], set(words[0][1:]), _told(words[1])
        sure = told and more <= MODIFIERS
        if not target.startswith("/") or ".." in target.split("/"):
            continue
        if letter in "wF" or (letter == "f" and "+" in more):
            kind, argument = "w" if letter == "w" else "F", words[2]
            if argument in ("", "-") or (kind == "F" and WILD.search(target)):
                continue
            write = Write(path=path, value=_value(argument, more), sure=sure)
            yield _Rule(kind=kind, target=target, write=write, appends=kind == "w" and "+" in more)
        elif letter == "f" or letter in ONE_LINE_A_PATH:
            yield _Rule(kind=letter, target=target, write=Write(path=path, value=None, sure=sure))


def _told(path: str) -> tuple[str, bool]:
    """A path in its shortest form, and whether it was written without escapes and specifiers."""
    shown = re.sub(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|.?)", "?", path)
    shown = re.sub(r"%(.?)", lambda one: "%" if one[1] == "%" else "*", shown)
    return simplified(shown), shown == path.replace("%%", "%") and "\\" not in path


def _words(line: str) -> tuple[str, str, str] | None:
    """Type, path and argument; the first six words may be quoted, the argument is the rest as it stands."""
    fields = re.match(r"""((?:"[^"]*"|'[^']*'|[^\s"'])+)[ \t]+((?:"[^"]*"|'[^']*'|[^\s"'])+)(.*)$""", line)
    if fields is None or line.startswith("#"):
        return None
    rest = re.match(r"(?:[ \t]+\S+){4}[ \t]+(.*)$", fields[3])
    kind, target = (re.sub("[\"']", "", fields[place]) for place in (1, 2))
    return kind, target, rest[1] if rest else ""


_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.?))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "s": " ", "\\": "\\", '"': '"', "'": "'"}


def _value(argument: str, modifiers: set[str]) -> str:
    """What a line writes; text that begins with UNKNOWN where that is not told."""
    if modifiers & set("~^"):
        return f"{UNKNOWN}a credential or encoded, {argument})"
    known = True

    def letter(one: re.Match[str]) -> str:
        nonlocal known
        if one[1] or one[2]:
            return chr(int(one[1], 16) if one[1] else int(one[2], 8))
        known &= one[3] in _LETTERS
        return _LETTERS.get(one[3], "")

    text = _ESCAPED.sub(letter, argument)
    known &= "%" not in text.replace("%%", "")
    return text.replace("%%", "%").strip() if known else f"{UNKNOWN}{argument})"
