"""What the next boot would be: the entry that GRUB would choose, and the line that the kernel would get.

grub.cfg is run as GRUB runs it (checks/grub_script.py), with the environment block of the host: `next_entry`
for one boot, `saved_entry` where the default is saved, numbers, titles, ids and submenus as menu.c resolves
them. The line is then judged by the same functions as the running one. Two boots are looked at, because a
one-shot is gone after the first. A menu that is not understood, or reads otherwise on another firmware, is
`unverifiable`. Last comes the menu that the next update-grub would write (checks/grub_defaults.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.grub_defaults import problem_of_defaults
from checks.grub_parse import parse
from checks.grub_script import WORLDS, WORLDS_MAX, Entry, Grub, UndecidedError, World
from checks.kernel_line import LINE_MAX, Word, problem_of_argument, words_of_line
from checks.taken_back import taken_back
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from transport.hint import command
from tuning.plan.setting import KernelArg

CHECK = "boot.next"
WHY = "a kernel update, update-grub or grub-set-default must not silently untune the next boot"
GRUB_CFG, HFT_CFG, GRUBENV = "/boot/grub/grub.cfg", "/boot/grub/hft.cfg", "/boot/grub/grubenv"
GOOD, CANDIDATE = "hft-good", "hft-candidate"
SUBMENUS_MAX = 8
ORDER = (
    "rename the script in /etc/grub.d that writes it, so that it sorts behind 09_hft, then run update-grub"
)
DEFAULT = "run on the host: grub-set-default hft-good"
STATIC = "set GRUB_DEFAULT=saved behind every other file in /etc/default/grub.d, then run update-grub"
LOCKED = "it asks for a password"
WAIT_MAX_S = 600
TIMEOUT = "set GRUB_TIMEOUT behind every other file in /etc/default/grub.d, then run update-grub"
SEARCH = r"^\s*search\b[^#\n]*--fs-uuid[^#\n]*--set=root\s[^#\n]*?(\S+)\s*$"
HEADER = "# GRUB Environment Block\n"
ONCE = "run on the host: grub-editenv - unset next_entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """One boot: the entry, and the kernel's line (None: it cannot be loaded, and REASON says why)."""

    ident: str
    title: str
    line: str | None
    reason: str = ""
    is_first: bool = False
    falls_back_to: tuple[str, ...] = ()
    wait: str | None = None  # the menu's timeout, as set
    named: str = ""  # a default that names no entry
    root_uuid: str | None = None  # of the file system that the kernel is read from


def _cure() -> str:
    return f"run: {command('apply')}"


def next_boot(expected: Expected, facts: Facts) -> Finding:
    """The next boot, and the one after it, start a proven entry whose line carries the plan."""
    planned = [one for one, _ in expected.settings if isinstance(one, KernelArg)]
    if not planned:
        return not_applicable(CHECK, "not_in_plan", "the plan changes nothing at boot", why=WHY)
    if gone := [path for path in (GRUB_CFG, HFT_CFG) if path in facts.absent]:
        return violated(CHECK, "next_boot_untuned", f"{' and '.join(gone)} is gone; {_cure()}", why=WHY)
    if facts.files.get(GRUB_CFG) is None or facts.files.get(HFT_CFG) is None:
        return unverifiable(CHECK, "not_read", "the boot menu cannot be read", why=WHY)
    saved = environment(facts)
    once, later = boots(facts, saved, "next"), boots(facts, saved, "after")
    for name, boot in (("the next boot", once), ("the boot after the next", later)):
        if problem := _problem(boot, expected, facts, planned, saved, one_shot=boot is once):
            return violated(CHECK, "next_boot_untuned", f"{name}: {problem}", observed=boot.ident, why=WHY)
    if problem := problem_of_defaults(facts):
        return violated(CHECK, "next_boot_untuned", problem, why=WHY)
    return ok(CHECK, "the known-good boot entry has the committed arguments", why=WHY)


def environment(facts: Facts) -> dict[str, str]:
    """The variables of the environment block; none without a block, CheckError when that is not known."""
    text = facts.files.get(GRUBENV)
    if text is None:
        if GRUBENV in facts.absent:
            return {}
        raise CheckError(f"{GRUBENV} is not in the host's answer, so the default entry is not known")
    if not text.startswith(HEADER):
        raise CheckError(f"{GRUBENV} has no header, so GRUB does not read it; run: grub-editenv - create")
    lines = text.replace("\\\n", "\0").split("\n")
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    plain = re.compile(r"\\(.)")
    return {name: plain.sub(r"\1", value.replace("\0", "\n")) for name, equals, value in pairs if equals}


def boots(facts: Facts, saved: Mapping[str, str], which: str) -> Booted:
    """The boot that every world agrees on; CheckError when they do not."""
    seen: list[Booted] = []
    left = list(WORLDS)
    while left:
        world = left.pop()
        kept = dict(saved)
        try:
            found = _boot(facts, kept, world)
            seen.append(_boot(facts, kept, world) if which == "after" else found)
        except UndecidedError as error:
            left += [world.where(error.what, answer=answer) for answer in (True, False)]
        if len(left) + len(seen) > WORLDS_MAX:
            raise CheckError(f"{GRUB_CFG} asks more than can be tried out")
    if any(one != seen[0] for one in seen):
        raise CheckError(f"{GRUB_CFG} boots another entry on another firmware")
    return seen[0]


def _boot(facts: Facts, saved: dict[str, str], world: World) -> Booted:
    """Run the menu; SAVED is the environment block, and is changed as GRUB changes it."""
    grub = Grub(world=world, read=lambda path: _file(facts, path), saved=saved)
    grub.run(parse(facts.files[GRUB_CFG]))
    default, entries = grub.variable("default"), grub.entries
    wait, users = grub.variable("timeout"), grub.variable("superusers")
    falls_back = tuple(_fallback(grub))
    first, named = bool(entries) and entries[0].ident == GOOD, ""
    for _ in range(SUBMENUS_MAX):
        if not entries:
            return Booted(ident="", title="", line=None, reason="the menu is empty")
        place = chosen(entries, default)
        named = named or ("" if place is not None else _head(default or ""))
        entry = entries[place or 0]
        if users and not entry.is_unrestricted:
            return Booted(ident=entry.ident, title=entry.title, line=None, reason=LOCKED, is_first=first)
        grub.entries = []
        grub.run(entry.body)
        if not entry.is_submenu:
            loaded = _loaded(entry, grub, is_first=first, falls_back_to=falls_back)
            return replace(loaded, wait=wait, named=named)
        entries, default = grub.entries, below(default)
    raise CheckError(f"{GRUB_CFG}: submenus inside of submenus")


def chosen(entries: list[Entry], default: str | None) -> int | None:
    """The entry that `default` names (menu.c of GRUB): a number, else a title or an id.

    None where it names no entry, and GRUB starts the first.
    """
    if not default:
        return 0
    if number := re.match(r"[ \t]*(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", default):
        place = int(number[1], 16 if number[1][:2].lower() == "0x" else 8 if number[1][0] == "0" else 10)
        return place if place < len(entries) else 0
    name = _head(default)
    return next((place for place, one in enumerate(entries) if name in (one.title, one.ident)), None)


def _head(default: str) -> str:
    """The part before a lone `>`; `>>` stands for the character itself."""
    return re.split(r"(?<!>)>(?!>)", default)[0].replace(">>", ">")


def below(default: str | None) -> str | None:
    """What `default` says inside of the submenu that it named."""
    parts = re.split(r"(?<!>)>(?!>)", default or "", maxsplit=1)
    return parts[1] if len(parts) > 1 and parts[1] else None


def _fallback(grub: Grub) -> list[str]:
    """The entries of `fallback`, which GRUB counts by number."""
    found = []
    for word in (grub.variable("fallback") or "").split():
        if not word.isdecimal():
            break  # upstream's GRUB forgets the rest
        if int(word) < len(grub.entries):
            found.append(grub.entries[int(word)].ident)
    return found


def _loaded(entry: Entry, grub: Grub, *, is_first: bool, falls_back_to: tuple[str, ...]) -> Booted:
    reason, line = "", None
    if not grub.kernel:
        reason = f"ends with {grub.ended}" if grub.ended else "its kernel is missing from /boot"
    elif not grub.initrds:
        reason = "it loads no initrd, or one that is missing from /boot"
    else:
        line = " ".join([f"BOOT_IMAGE={grub.kernel[0]}", *(_requoted(word) for word in grub.kernel[1:])])
    if grub.ended and line is not None:
        line, reason = None, f"ends with {grub.ended}"
    return Booted(
        ident=entry.ident,
        title=entry.title,
        line=line,
        reason=reason,
        is_first=is_first,
        falls_back_to=falls_back_to,
        root_uuid=grub.root_uuid,
    )


def _requoted(word: str) -> str:
    """A word as GRUB writes it into the line (grub-core/lib/cmdline.c)."""
    escaped = re.sub(r"([\\'\"])", r"\\\1", word)
    return f'"{escaped}"' if " " in word else escaped


def _file(facts: Facts, path: str) -> str | None:
    """A file that GRUB asks for; None when it does not exist, CheckError when that is not known."""
    path = re.sub(r"^\([^)]*\)", "", path)
    folder, _, name = path.rpartition("/")
    if folder in ("", "/boot"):
        if any(one.startswith("ls: ") for one in facts.boot) or not facts.boot:
            raise CheckError("what is in /boot is not known")
        return "x" if name in facts.boot else None
    if path in facts.files:
        return facts.files[path]
    if path in facts.absent:
        return None
    raise CheckError(f"grub.cfg asks for {path[:80]}, which is not in the host's answer")


def _problem(  # noqa: PLR0911, PLR0913  # one boot against one plan, a line for each thing that can be wrong
    boot: Booted,
    expected: Expected,
    facts: Facts,
    planned: list[KernelArg],
    saved: Mapping[str, str],
    *,
    one_shot: bool,
) -> str | None:
    """What is wrong with a boot, and the way out; None when it is a proven entry that carries the plan."""
    name = boot.ident or boot.title or "no entry"
    if boot.ident != GOOD and not (one_shot and boot.ident == CANDIDATE):
        return (
            f"GRUB would start {name[:80]!r}, not {GOOD}; {_way_out(boot, facts, saved, one_shot=one_shot)}"
        )
    if boot.named:
        return (
            f"the default {boot.named[:60]!r} names no entry, so GRUB starts the first until one of that "
            f"name comes; {_way_out(boot, facts, saved, one_shot=one_shot)}"
        )
    if not boot.is_first:
        return f"another menu entry precedes ours, and GRUB falls back to the first; {ORDER}"
    if CANDIDATE in boot.falls_back_to:
        return f"GRUB would fall back to the candidate of a trial; {_cure()}"
    if boot.line is None:
        cure = _cure() if boot.reason == LOCKED else "install its linux-image package again"
        return f"{name} cannot be loaded: {boot.reason}; {cure}"
    if len(boot.line) > LINE_MAX:
        return (
            f"the line of {name} has {len(boot.line)} characters, and the kernel reads {LINE_MAX}; {_cure()}"
        )
    words, highest = words_of_line(boot.line), facts.highest
    for one in planned:
        if found := problem_of_argument(one, planned, words, highest):
            return f"the entry {name} lacks {one.text} ({found[1][:120]}); {_cure()}"
    if against := taken_back(expected, words, facts):
        word, keys = against[0].word, ", ".join(against[0].keys)
        return f"the entry {name} has {word}, which takes back {keys}; {_cure()}"
    return _waits(boot) or _wrong_disk(boot, words, facts)  # the last one may not be known


def _wrong_disk(boot: Booted, words: Sequence[Word], facts: Facts) -> str | None:
    """The entry reads its kernel where grub.cfg reads others, and mounts the root that is mounted now."""
    running = dict(words_of_line(facts.text("/proc/cmdline") or "")).get("root")
    root = dict(words).get("root")
    if root is None or (running is not None and not _may_be_one(root, running)):
        return f"the entry {boot.ident} has root={root or ''}, and root={running} runs; {_cure()}"
    known = set(re.findall(SEARCH, facts.files[GRUB_CFG], re.MULTILINE))
    if known and not any(_may_be_one(boot.root_uuid or "none", one) for one in known):
        return (
            f"the entry {boot.ident} takes its kernel from the file system {boot.root_uuid}, "
            f"and grub.cfg from {', '.join(sorted(known))}; {_cure()}"
        )
    return None


def _may_be_one(one: str, other: str) -> bool:
    """Whether both may name one file system: the same word, or the front part of the same UUID.

    CheckError where one name is a UUID and the other is not: that may be one disk or two.
    """
    if one.rpartition("=")[0] != other.rpartition("=")[0]:
        raise CheckError(f"whether {one[:60]} and {other[:60]} are one file system is not known")
    return one.startswith(other) or other.startswith(one)


def _waits(boot: Booted) -> str | None:
    """A menu that waits for a key starts nothing; grub_menu_get_timeout() reads a number as C does."""
    number = re.match(r"[ \t]*(0[xX][0-9a-fA-F]+|[0-9]+)", boot.wait or "")
    seconds = int(number[1], 16 if number[1][:2] in ("0x", "0X") else 10) if number else -1
    if 0 <= seconds <= WAIT_MAX_S:
        return None
    return f"the menu waits for a key: its timeout is {(boot.wait or 'not set')[:40]}; {TIMEOUT}"


def _way_out(boot: Booted, facts: Facts, saved: Mapping[str, str], *, one_shot: bool) -> str:
    """What makes hft-good the default again: each cause has its own cure."""
    if one_shot and saved.get("next_entry"):
        return ONCE
    hook = re.search(r"^[^#\n]*\b(source|\.)\s+\S*hft\.cfg", facts.files[GRUB_CFG], re.MULTILINE)
    if hook is None:
        return f"grub.cfg does not read hft.cfg; {_cure()}"
    if not boot.is_first:
        return ORDER
    saves = re.search(r"^\s*set default=\"?\$\{?saved_entry", facts.files[GRUB_CFG], re.MULTILINE)
    return DEFAULT if saves else STATIC
