"""Our GRUB menu as a value: its entries, how they are rendered, how a candidate becomes the good one.

`/etc/grub.d/09_hft` makes every grub.cfg begin with `source hft.cfg`, so /boot/grub/hft.cfg is the only
file a boot change replaces, and `update-grub` never disturbs it. `hft-good` is always entry 0: GRUB falls
back to entry 0 on an unknown id, on a missing or zeroed grubenv and on an unknown saved entry, so entry 0
must be the proven one.

A promotion is one rename of hft.cfg: before it every boot uses the old command line, after it every boot uses
the new one. The menu is kept as one JSON comment in the file it renders, so the two cannot disagree.

The candidate's body is guarded: with a missing kernel GRUB would wait for a key press indefinitely, so a
failed `linux` or `initrd` records what failed and reboots; the one-shot is already consumed and the next boot
is `hft-good`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent.paths import HFT_CFG
from tuning.snapshot.boot_menu import ENDS, MARK, hook_place, record_of
from tuning.snapshot.grub_words import ENTRIES, Command, commands

SCHEMA = 1
SCRIPT_NAME = "09_hft"  # of the generator script that prints our hook: they run in the order of their names
GOOD, CANDIDATE, PREVIOUS = "hft-good", "hft-candidate", "hft-previous"
ADOPTED = "adopted"
KERNEL_READS = 2047  # COMMAND_LINE_SIZE is 2048 on x86, including a NUL; what is longer is silently truncated
RELEASE_MAX, TXN_MAX = 128, 64
# What else is on the longest line: GRUB prepends BOOT_IMAGE=PATH, we append our markers.
BESIDE = len("BOOT_IMAGE=/boot/vmlinuz- ") + RELEASE_MAX + len(" hft.txn= hft.watchdog=7200") + TXN_MAX
COMMAND_LINE_MAX = KERNEL_READS - BESIDE
TXN = re.compile(rf"[0-9A-Za-z][0-9A-Za-z-]{{0,{TXN_MAX - 1}}}")
WORD = re.compile(
    r"[0-9A-Za-z_.,:;=/@+%*^~!?()\[\]{}<>&|-]+"
)  # no quote, backslash, dollar or space: GRUB re-quotes those
RELEASE = re.compile(rf"[0-9A-Za-z][0-9A-Za-z.+~_-]{{0,{RELEASE_MAX - 1}}}")
# Commands that bring entries from elsewhere: files, the boot loader specification, menus of other loaders.
_BRINGS = frozenset(
    {"source", ".", "blscfg", "legacy_source", "syslinux_source", "syslinux_configfile", "eval"}
    | {
        f"extract_{kind}_{how}"
        for kind in ("entries", "legacy_entries", "syslinux_entries")
        for how in ("source", "configfile")
    }
)
TO_INIT = "--"
_HUGEPAGES = frozenset({"hugepages", "hugepagesz", "default_hugepagesz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A proven command line: the transaction that proved it, its kernel, its arguments without our marker."""

    txn: str
    release: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A command line on trial, with the small initramfs that arms the watchdog."""

    txn: str
    release: str
    args: tuple[str, ...]
    watchdog_s: int
    overlay: str | None

    def promoted(self) -> Entry:
        """The entry to keep: what was tried, without the markers of the trial."""
        return Entry(txn=self.txn, release=self.release, args=self.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """The whole of hft.cfg. `directory` is /boot as GRUB sees it: empty for a file system of its own."""

    fs_uuid: str
    directory: str
    base: tuple[str, ...]
    good: Entry
    candidate: Candidate | None = None
    previous: Entry | None = None

    def promoted(self, txn: str) -> Menu:
        """The candidate becomes the good entry and the old one is kept; idempotent."""
        if self.good.txn == txn:
            return replace(self, candidate=None)
        if self.candidate is None or self.candidate.txn != txn:
            raise ValueError(f"{HFT_CFG} holds no candidate of {txn} to promote")
        return replace(self, good=self.candidate.promoted(), previous=self.good, candidate=None)

    def without(self, txn: str) -> Menu:
        """The menu as if this transaction had never been staged, or promoted.

        The second case is a power cut between the promoting rename and the checkpoint: GRUB, which does not
        replay the journal, boots the old entry, and then Linux replays the promotion.
        """
        if self.good.txn == txn and self.previous:
            return replace(self, good=self.previous, previous=None, candidate=None)
        return replace(self, candidate=None) if self.candidate and self.candidate.txn == txn else self


def key_of(word: str) -> str:
    """The name of a kernel argument: - and _ are equal, and the hugepage arguments count as one."""
    name = word.partition("=")[0].replace("-", "_")
    return "hugepages" if name in _HUGEPAGES else name


def base_arguments(cmdline: Iterable[str]) -> tuple[str, ...]:
    """The arguments of a running command line, without those that GRUB and the agent add."""
    return tuple(word for word in cmdline if not word.startswith(("BOOT_IMAGE=", "initrd=", "hft.")))


def merged(base: Iterable[str], wanted: Iterable[str], without: Iterable[str] = ()) -> tuple[str, ...]:
    """The base with every argument the plan names replaced by the plan's, less the words it leaves out."""
    base, wanted, without = tuple(base), tuple(wanted), frozenset(without)
    ours, at = {key_of(word) for word in wanted}, init_at(base)
    kept = (word for word in base[:at] if key_of(word) not in ours and word not in without)
    return (*kept, *wanted, *base[at:])


def init_at(words: Sequence[str]) -> int:
    """Where the words for init begin: `--` ends what the kernel reads (kernel-parameters.rst)."""
    return words.index(TO_INIT) if TO_INIT in words else len(words)


def marked(words: Sequence[str], *marks: str) -> tuple[str, ...]:
    """A line with our marks at the end of what the kernel reads."""
    return (*words[: init_at(words)], *marks, *words[init_at(words) :])


def check_words(words: Iterable[str]) -> None:
    """ValueError for an argument GRUB would change, or for a line longer than the kernel reads."""
    words = tuple(words)
    for word in words:
        if not WORD.fullmatch(word):
            raise ValueError(f"kernel argument {word!r} has a character GRUB would change")
    length = sum(len(word) + 1 for word in words)
    if length > COMMAND_LINE_MAX:
        raise ValueError(
            f"the arguments would be {length} characters; the kernel reads {KERNEL_READS} of the whole line, "
            f"which leaves {COMMAND_LINE_MAX} for them"
        )


def has_entry(grub_cfg: str) -> bool:
    """Whether there is anything to boot."""
    return any(one.name in ENTRIES for one in commands(grub_cfg))


def stranger_before(grub_cfg: str) -> str | None:
    """What is wrong when an entry stands, or will stand, before our hook, and the way out; None when none.

    GRUB falls back to entry 0, and counts the entries of `fallback` by number (its manual says by id, too;
    upstream's code up to 2.06 reads numbers only). With a stranger in front, the first entry is not the
    proven one, and the second may be the candidate. Where our hook is still to come, a script whose name
    sorts before it brings its entries first, and an entry of no script would be lost with the old file.
    Whatever may bring entries counts as one: what another file holds, or a name holds, is not known here.
    """
    found = tuple(commands(grub_cfg))
    place = hook_place(found)
    for one in found[:place]:
        if place is None and one.words[1:2] == ("$prefix/hft.cfg",) and one.name == "source":
            return f"{one.text!r} stands where GRUB may not come to it; run: update-grub"
        is_first = place is not None or one.script.rpartition("/")[2] < SCRIPT_NAME
        if is_first and _may_bring_entries(one):
            cure = f"rename {one.script}, so that it sorts behind {SCRIPT_NAME}"
            way = cure if one.script else "put it into /etc/grub.d/40_custom"
            return f"{one.text!r} stands before our entries; {way}, and run: update-grub"
    return None


def _may_bring_entries(one: Command) -> bool:
    return one.name in ENTRIES | _BRINGS | ENDS or one.name.startswith("$")


def render(menu: Menu) -> str:
    """The text of hft.cfg."""
    entries = [_good(menu, GOOD, menu.good)]
    if menu.candidate:
        entries.append(_candidate(menu, menu.candidate))
    if menu.previous:
        entries.append(_good(menu, PREVIOUS, menu.previous))
    # If hft-good cannot be loaded, GRUB tries hft-previous, then the first entry after ours, by number.
    spare = [str(len(entries) - 1)] if menu.previous else []
    head = [
        "# Written by hft, replaced as a whole, from the value in the next line; changes here are lost.",
        MARK + json.dumps({"schema": SCHEMA} | asdict(menu), sort_keys=True),
        f'set fallback="{" ".join([*spare, str(len(entries))])}"',
    ]
    return "\n".join([*head, *entries]) + "\n"


def _head(menu: Menu, ident: str, title: str) -> list[str]:
    return [
        f"menuentry '{title}' --id {ident} --unrestricted {{",
        f"  search --no-floppy --fs-uuid --set=root {menu.fs_uuid}",
    ]


def _linux(menu: Menu, release: str, words: Iterable[str]) -> str:
    quoted = " ".join(f"'{word}'" for word in words)
    return f"linux {menu.directory}/vmlinuz-{release} {quoted}"


def _initrd(menu: Menu, release: str, overlay: str | None = None) -> str:
    more = f" {menu.directory}/{overlay}" if overlay else ""
    return f"initrd {menu.directory}/initrd.img-{release}{more}"


def _good(menu: Menu, ident: str, entry: Entry) -> str:
    title = f"hft {ident.removeprefix('hft-')}: {entry.txn}, Linux {entry.release}"
    words = marked(entry.args, f"hft.good={entry.txn}")
    body = [f"  {_linux(menu, entry.release, words)}", f"  {_initrd(menu, entry.release)}", "}"]
    return "\n".join([*_head(menu, ident, title), *body])


def _candidate(menu: Menu, candidate: Candidate) -> str:
    title = f"hft candidate: {candidate.txn}, Linux {candidate.release}"
    words = marked(candidate.args, f"hft.txn={candidate.txn}", f"hft.watchdog={candidate.watchdog_s}")
    body = [
        f"  set hft_tried={candidate.txn}",
        "  save_env hft_tried",
        f"  if {_linux(menu, candidate.release, words)}; then",
        f"    if {_initrd(menu, candidate.release, candidate.overlay)}; then",
        "      true",
        "    else",
        *_gave_up("initrd"),
        "    fi",
        "  else",
        *_gave_up("kernel"),
        "  fi",
        "}",
    ]
    return "\n".join([*_head(menu, CANDIDATE, title), *body])


def _gave_up(what: str) -> list[str]:
    return [f"      set hft_failed={what}", "      save_env hft_failed", "      reboot"]


def parse(text: str) -> Menu:
    """The menu that hft.cfg was rendered from; ValueError with the reason when hft did not write the file."""
    raw = record_of(text)
    if not raw:
        raise ValueError(f"{HFT_CFG} was not written by hft")
    if repr(raw.pop("schema", None)) != repr(SCHEMA):  # true is no 1
        raise ValueError(f"{HFT_CFG} was written by a different version of hft")
    candidate = raw["candidate"] and Candidate(**_with_args(raw["candidate"]))
    previous = raw["previous"] and Entry(**_with_args(raw["previous"]))
    return Menu(
        fs_uuid=raw["fs_uuid"],
        directory=raw["directory"],
        base=tuple(raw["base"]),
        good=Entry(**_with_args(raw["good"])),
        candidate=candidate,
        previous=previous,
    )


def _with_args(raw: dict[str, Any]) -> dict[str, Any]:
    return raw | {"args": tuple(raw["args"])}
