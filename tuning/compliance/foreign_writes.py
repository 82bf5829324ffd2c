"""Which line of somebody else writes a file of the kernel at the next boot, behind ours or beside it.

Two programs of systemd write such files, in no order between them. systemd-sysctl goes by keys: the last
assignment of a key counts, and the key is written where the run of equal assignments at its end began; a
pattern is written in its own place, but to no key that is named in full. systemd-tmpfiles goes by paths as
they are written: the first line of a path counts, and what is appended (w+) behind an appending one; a
pattern is a path of its own. Ours stands in each where it would be, whether it is there or not (sysctl.d(5),
tmpfiles.d(5), systemd 252).

A line that may mean the file, where text alone does not tell, counts as one that does.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

BLANKS = " \t\r\n"
BLOCKS = "wexXrR"  # types of tmpfiles.d of which a path has one line
PROC_SYS = "/proc/sys/"
# Writing one of these sets the other one, too, unless it gets 0.
WRITES_TOO = {
    "/proc/sys/vm/dirty_ratio": "/proc/sys/vm/dirty_bytes",
    "/proc/sys/vm/dirty_background_ratio": "/proc/sys/vm/dirty_background_bytes",
    "/proc/sys/kernel/nmi_watchdog": "/proc/sys/kernel/watchdog",
}

Said = tuple[str, str]  # the file, and what it says
IsSame = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file that counts, in the order of names; ours stands in its place, without lines."""

    name: str
    path: str
    lines: tuple[str, ...]
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a plan wants in a file of the kernel: its names, ours first, and which values are as good."""

    names: tuple[str, ...]
    is_same: IsSame

    def is_lost(self, name: str, value: str) -> bool:
        """Whether writing a value to NAME leaves another one than the plan's."""
        return value != "0" if name not in self.names else not self.is_same(value)

    @property
    def targets(self) -> tuple[str, ...]:
        """The file by its names, and what sets it, too."""
        return (*self.names, *(WRITES_TOO[one] for one in self.names if one in WRITES_TOO))


@dataclass(frozen=True, slots=True)
class _Assignment:
    """A line of sysctl.d: its key with slashes; None takes the key away. Ours is said by nobody."""

    key: str
    value: str | None
    said: Said | None


@dataclass(frozen=True, slots=True)
class _Place:
    """What is written at one place of a program's order: to a path or pattern, and what line says so."""

    pattern: str
    value: str
    said: Said
    is_told: bool = True
    but: frozenset[str] = frozenset()  # a pattern of sysctl.d leaves out what is named in full


def _winner(wish: Wish, places: Sequence[_Place]) -> Said | None:
    """From the end: the first line that surely means the file decides, and one that may must not lose it."""
    for one in reversed(places):
        for name in wish.targets:
            hit = name not in one.but and means(one.pattern, name)
            if hit is not False and wish.is_lost(name, one.value):
                return one.said
            if hit and one.is_told and name in wish.names:
                return None
    return None


def foreign_sysctl(wish: Wish, files: Sequence[BootFile], *, is_ours: bool) -> Said | None:
    """The line of sysctl.d that wins; IS_OURS: whether we use sysctl.d for it ourselves."""
    own = wish.names[0].removeprefix(PROC_SYS)
    told = list(_assignments(files, own if is_ours else None))
    last = {one.key: one for one in told}
    if is_ours and (said := last[own].said) and not (last[own].value and wish.is_same(last[own].value or "")):
        return said
    ours_at = _place(told, own, wish) if is_ours else -1
    order = sorted(
        (place, key) for key in last if (place := _place(told, key, None)) > ours_at and key != own
    )
    if not is_ours and own in last:
        order = sorted([*order, (_place(told, own, None), own)])
    places = []
    for _, key in order:
        value, said = last[key].value, last[key].said
        is_pattern = re.search(r"[*?\[]", key) is not None
        if value is None or said is None or (not is_pattern and "{" in key):
            continue
        but = frozenset(PROC_SYS + one for one in last) if is_pattern and ".." not in key else frozenset()
        way = posixpath.normpath(PROC_SYS + key)
        places.append(_Place(way, value, said, is_told=".." not in key, but=but))
    return _winner(wish, places)


def _place(told: Sequence[_Assignment], key: str, wish: Wish | None) -> int:
    """Where a key is written: the first of the equal assignments at the end. Ours equals what WISH takes."""
    at = [place for place, one in enumerate(told) if one.key == key]
    found = at[-1]
    for place in reversed(at[:-1]):
        here, last = told[place], told[found]
        same = here.value == last.value
        if wish is not None and here.value is not None and (here.said is None or last.said is None):
            same = here.said is None or wish.is_same(here.value)
        if not same:
            break
        found = place
    return found


def _assignments(files: Sequence[BootFile], own: str | None) -> Iterator[_Assignment]:
    for file in files:
        if file.is_ours:
            if own is not None:
                yield _Assignment(own, "", None)
            continue
        for line in file.lines:
            text = line.strip(BLANKS)
            word, equals, value = text.partition("=")
            if text[:1] in ("#", ";") or not (equals or text.startswith("-")):
                continue
            key = _key(word[1:] if word.startswith("-") else word)
            yield _Assignment(key, value.strip(BLANKS) if equals else None, (file.path, _shown(text)))


def _shown(line: str) -> str:
    return " ".join(line.split())[:80]


def _key(word: str) -> str:
    """With slashes: where the first separator is a dot, dots separate and slashes stand for dots."""
    word = word.strip(BLANKS)
    slash, dot = word.find("/"), word.find(".")
    if dot >= 0 and (slash < 0 or dot < slash):
        word = "/".join(part.replace("/", ".") for part in word.split("."))
    return _path(word).lstrip("/")


def _path(word: str) -> str:
    """Without what a path can do without: double slashes, lone dots, a slash at the end."""
    return re.sub(r"(?<=.)/$", "", re.sub(r"/(\./|/)*(\.$)?", "/", word.removeprefix("./")))


def foreign_tmpfiles(wish: Wish, files: Sequence[BootFile], *, is_ours: bool) -> Said | None:
    """The line of tmpfiles.d that wins; IS_OURS: whether we use tmpfiles.d for it ourselves."""
    first: dict[str, list[tuple[str, str, Said] | None]] = {}
    early: dict[str, _Place | None] = {}
    untold: list[_Place] = []
    for file in files:
        if file.is_ours and is_ours:
            first.setdefault(wish.names[0], [None])
        for line in () if file.is_ours else file.lines:
            kind, path, value = _rule(line)
            said = (file.path, _shown(line))
            if kind in ("f", "F"):
                early.setdefault(path, _Place(path, value, said) if kind == "F" and not is_ours else None)
            elif kind == "?":  # not told whether it keeps ours out, nor where it would stand
                untold.append(_Place(path, value, said, is_told=False))
            elif kind and path not in first:
                first[path] = [(kind, value, said)]
            elif kind == "w+" and (one := first[path][0]) is not None and one[0] == "w+":
                first[path].append((kind, value, said))
    seen = first.get(wish.names[0], [None])[-1]
    if is_ours and seen is not None and not (seen[0] in ("w", "w+") and wish.is_same(seen[1])):
        return seen[2]
    order = list(first)
    behind = order[order.index(wish.names[0]) + 1 :] if is_ours else order
    told = [(path, one) for path in behind for one in first[path] if one is not None]
    places = [_Place(path, one[1], one[2]) for path, one in told if one[0] in ("w", "w+")]
    return _winner(wish, [*(one for one in early.values() if one), *places, *untold])


def _rule(line: str) -> tuple[str, str, str]:
    """Kind, path, and what is written; kind is a type letter, F for what is written before all others.

    `?` is a line of which the text does not tell: with modifiers that we do not know, or with an escape or a
    specifier in its path, which stands as a wildcard.
    """
    words = line.strip(BLANKS).split(maxsplit=6)
    if len(words) < 2 or words[0].startswith("#"):
        return "", "", ""
    kind, raw = (re.sub("[\"']", "", word) for word in words[:2])
    letter, more = kind[:1], kind[1:]
    plain = raw.replace("%%", "\0")
    path = _path(re.sub(r"%.?", "*", re.sub(r"\\(x[0-9a-fA-F]{2}|.)?", "?", plain)).replace("\0", "%"))
    doubtful = "\\" in raw or "%" in plain or bool(more.strip("!-+=~^"))
    value = words[6].strip(BLANKS) if len(words) > 6 else ""
    is_early = letter == "F" or (letter == "f" and "+" in more)
    if not path.startswith("/") or "/../" in f"{path}/":
        return "", "", ""
    if letter == "f" and not is_early:
        return ("f", path, "")
    if letter == "w" or is_early:
        if value in ("", "-"):
            return "", "", ""
        value = "\0" if set(more) & set("~^") else _decoded(value)
        writes = "F" if is_early else "w+" if "+" in more else "w"
        return "?" if doubtful else writes, path, value
    blocks = letter and letter in BLOCKS
    return ("?" if doubtful else letter, path, "\0") if blocks else ("", "", "")


def _decoded(value: str) -> str:
    """An argument without its escapes; one that is not understood equals nothing."""
    if "%" in value.replace("%%", ""):
        return "\0"
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda one: chr(int(one[1], 16)), value.replace("%%", "%"))
    return "\0" if "\\" in text else text.strip()


def means(pattern: str, path: str) -> bool | None:
    """Whether a path or pattern of a line means a file of the kernel; None: it may.

    It may where it holds a backslash, a bracket with a class or braces beside brackets, and where it ends as
    the file does, from its numbered object on, by another way below /sys or /proc: sysfs is full of links.
    """
    expression = _expression(pattern)
    if expression is None:
        return None if path.startswith(re.split(r"[*?\[{}\\]", pattern)[0]) else False
    if re.fullmatch(expression, path):
        return None if "[[" in pattern or ("[" in pattern and "{" in pattern) else True
    parts = path.split("/")
    keeps = next((len(parts) - at for at, part in enumerate(parts) if re.search("[0-9]", part)), 0)
    depth = max(keeps, 2)
    for one in _alternatives(pattern):
        words = one.split("/")
        root, end = _expression(words[1]), _expression("/".join(words[-depth:]))
        if len(words) <= depth or root is None or end is None:
            continue
        if any(re.fullmatch(root, top) for top in ("sys", "proc")) and re.fullmatch(
            end, "/".join(parts[-depth:])
        ):
            return None
    return False


def _alternatives(pattern: str) -> Iterator[str]:
    """Without braces, so that components can be counted."""
    inner = re.search(r"\{([^{}]*)\}", pattern)
    if inner is None:
        yield pattern
        return
    for word in inner[1].split(","):
        yield from _alternatives(pattern[: inner.start()] + word + pattern[inner.end() :])


_PIECE = re.compile(r"\[(?:\[[:.=][^\]]*\]|[^\]\[])*\]|[*?{},]|[^*?{},\[]+|\[")


def _expression(pattern: str) -> str | None:
    """glob(7) with braces as a regular expression; None where it is not told by the text."""
    if "\\" in pattern or re.search(r"\[[^\]]*[{}]", pattern):
        return None
    found, depth = "", 0
    for piece in _PIECE.findall(pattern):
        depth += (piece == "{") - (piece == "}")
        if depth < 0:
            return None
        match piece:
            case "*":
                found += "[^/]*"
            case "?":
                found += "[^/]"
            case "{":
                found += "(?:"
            case "}":
                found += ")"
            case ",":
                found += "|" if depth else ","
            case _ if piece.startswith("[") and "[" in piece[1:]:
                found += "[^/]"  # a class with a name: any one character
            case _ if len(piece) > 1 and piece.startswith("["):
                inside = re.sub(r"^[!^]", "^", piece[1:-1]).replace("\\", "\\\\")
                found += f"[{inside}]"
            case _:
                found += re.escape(piece)
    return found if depth == 0 and found.count("(?:") <= 8 else None
