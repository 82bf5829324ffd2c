"""Whether GRUB would leave its menu by itself, soon, for our entry.

Nobody stands at the console, and no watchdog runs yet.

With a negative `timeout`, or none, or one that it cannot read, GRUB waits for a key (its manual, "Special
environment variables"; grub_menu_get_timeout of grub-core/normal/menu.c). The watchdog is armed from the
initramfs, so a host that waits at its menu is dark until somebody comes.

Two looks. grub-mkconfig reads /etc/default/grub and then default/grub.d in the order of names, so a file
behind ours decides what the next update-grub writes: how long it waits, and which entry it starts. And the
menu that is there is judged by every command that gives `timeout`, in whichever branch, since a condition may
hold at the next boot (`recordfail`)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from agent.boot.grub import GOOD, SCRIPT_NAME
from agent.host import HostRoot
from tuning.snapshot.boot_menu import DEFAULTS, GRUB_CFG, hook_place
from tuning.snapshot.grub_words import Command, commands

# A trial waits at the menu, and its fallback does once more. The controller gives a host of the fastest
# class 240 s to come back from a boot before it cuts the power (deploys/trial/watch.py), so each wait
# may take a quarter of that. Debian's own longest wait is 30 s.
WAIT_MAX_S = 60
FOLDER, OURS = DEFAULTS.rsplit("/", 1)
DEFAULT = "GRUB_DEFAULT"
NAMES = (
    *("GRUB_TIMEOUT", "GRUB_RECORDFAIL_TIMEOUT", "GRUB_HIDDEN_TIMEOUT", "GRUB_TIMEOUT_BUTTON"),
    DEFAULT,
)
OUR_DEFAULTS = ("saved", "0", GOOD)  # the entry that grubenv names, or ours, which is the first
RANGE = f"between 0 and {WAIT_MAX_S}"
DEPTH_MAX = 8  # files that source each other

Read = Callable[[str], str | None]

_GIVEN = re.compile(rf"(?<![\w$])({'|'.join(NAMES)})(\+?=)(\"[^\"]*\"|'[^']*'|[^\s;&|]*)")
_ALONE = re.compile(rf"(?:export\s+)?(?:{'|'.join(NAMES)})=(?:\"[^\"]*\"|'[^']*'|[^\s;&|]*)\s*;?")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_ASKS = {"read": "waits for a line", "cryptomount": "asks for a passphrase", "authenticate": "asks for one"}
_GRUB_DIRECTORY = re.compile(
    r"(?:\([^)$]*\))?(?:\$prefix|\$\{prefix\}|\$config_directory|\$\{config_directory\})"
)


def fault(host: HostRoot) -> str | None:
    """Why GRUB would wait for a key or too long, with the file and the way out; None when it would not."""
    return defaults_fault(host) or menu_fault(host.read(GRUB_CFG) or "", reader(host))


def reader(host: HostRoot) -> Read:
    """Reads regular files alone: another kind of file gives GRUB no script, and may keep us waiting."""
    return lambda path: host.read(path) if os.path.isfile(host.path(path)) else None  # noqa: PTH113


def default_fault(value: str) -> str | None:
    """What is wrong with a default entry; None when it is ours whatever the menu holds beside it."""
    return None if value in OUR_DEFAULTS else "GRUB would start another entry than ours after an update-grub"


def value_fault(value: str) -> str | None:
    """What is wrong with one timeout, in seconds; None when it is a small number."""
    if re.fullmatch(r"-[0-9]+", value):
        return "GRUB would wait at its menu for a key, for ever"
    if not re.fullmatch(r"[0-9]{1,9}", value):
        return "that is no number of seconds, and GRUB would wait at its menu for a key, for ever"
    if int(value) > WAIT_MAX_S:
        return f"GRUB would wait at its menu longer than {WAIT_MAX_S} s, without a watchdog"
    return None


def defaults_fault(host: HostRoot) -> str | None:
    """The file of default/grub.d that wins over ours with a wait that is too long, or with another entry."""
    read = reader(host)
    given: dict[str, list[tuple[str, str]]] = {}
    files = [one for one in host.listdir(FOLDER) if one.endswith(".cfg")]
    for path in (f"{FOLDER}/{one}" for one in files if not is_plain(host, f"{FOLDER}/{one}")):
        return f"{path} is no plain file, so update-grub would wait for it, or fail; move it away"
    for file in filter(is_behind_ours, files):
        for name, value, is_certain in assignments(read(f"{FOLDER}/{file}") or ""):
            earlier = [] if is_certain else given.get(name, [])
            given[name] = [*earlier, (file, value)]
    for name, pairs in given.items():
        for file, value in pairs:
            why = default_fault(value) if name == DEFAULT else value_fault(value)
            if value and why:  # empty: grub-mkconfig takes its own default
                what = f"the value {OUR_DEFAULTS[0]}" if name == DEFAULT else f"a number {RANGE}"
                way = f"give it {what} there, or remove that line, and run: update-grub"
                return f"{FOLDER}/{file} sets {name}={value[:40]} and wins over {OURS}: {why}; {way}"
    return None


def is_plain(host: HostRoot, path: str) -> bool:
    """Whether a shell can read it to its end; what is not there it passes over."""
    try:
        host.open(path).close()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def is_behind_ours(file: str) -> bool:
    """Whether a shell may read it after ours: by bytes, or as a locale orders names."""
    plain = re.compile(r"[^0-9a-z]")
    orders = (str, str.casefold, lambda name: plain.sub("", name.casefold()))
    return file != OURS and any(order(file) > order(OURS) for order in orders)


def assignments(text: str) -> Iterator[tuple[str, str, bool]]:
    """Name, value and whether it is certain: a line of its own, outside of an `if` or a function."""
    for raw in text.splitlines():
        line = _COMMENT.sub("", raw).rstrip()
        alone = (
            _ALONE.fullmatch(line) is not None
        )  # from the first column: what is indented may be in a block
        for name, sign, value in _GIVEN.findall(line):
            yield name, value.strip("'\"") if sign == "=" else f"+={value}", alone


def menu_fault(grub_cfg: str, read: Read) -> str | None:
    """The command of grub.cfg, or of a file that it reads, that would make GRUB wait.

    Before our hook is there, the menu is about to be generated anew: what 00_header wrote comes from the
    defaults, and what no script wrote is lost.
    """
    found = tuple(commands(grub_cfg))
    is_ours = hook_place(found) is not None
    kept = [one for one in found if is_ours or _comes_again(one)]
    if why := next(_waits(kept, GRUB_CFG, read, 0), None):
        return why
    if is_ours and not any(_timeouts(one) for one in kept if "function" not in one.within):
        way = f"run: update-grub, which takes it from {OURS}"
        return f"{GRUB_CFG} sets no timeout: GRUB would wait at its menu for a key, for ever; {way}"
    return None


def _comes_again(one: Command) -> bool:
    return one.script.rpartition("/")[2] not in ("", "00_header", SCRIPT_NAME)


def _waits(found: list[Command], path: str, read: Read, depth: int) -> Iterator[str]:
    """What makes GRUB wait before an entry is chosen, each with its way out."""
    for one in (one for one in found if not one.is_in_entry):
        place = one.script or path
        way = f"take it out of {place} and run: update-grub"
        if place in (GRUB_CFG, "/etc/grub.d/00_header"):
            way = f"run: update-grub, which takes the timeout from {OURS}"
        elif place == path:
            way = f"take it out of {place}"
        for value in _timeouts(one):
            if why := value_fault(value):
                yield f"{path} has {one.text!r}: {why}; {way}"
        if one.name in _ASKS:
            yield f"{path} has {one.text!r}, which {_ASKS[one.name]} at the console; {way}"
        if one.name in ("source", ".") and len(one.words) > 1:
            yield from _waits_in(one, path, read, depth + 1)


def _waits_in(one: Command, path: str, read: Read, depth: int) -> Iterator[str]:
    """The same for a file that this command reads; one that cannot be found here is not trusted."""
    target = located(one.words[1])
    if target is None or depth > DEPTH_MAX:
        yield f"{path} has {one.text!r}: whether GRUB waits there cannot be read from here; take it out"
    elif not target.endswith("/hft.cfg") and (text := read(target)) is not None:
        yield from _waits(list(commands(text)), target, read, depth)


def _timeouts(one: Command) -> list[str]:
    """The timeouts that a command gives; empty for none, a dash for one that it takes away."""
    if one.name == "unset" and "timeout" in one.words:
        return ["-"]
    if one.name == "sleep" and len(one.words) > 1:
        return [one.words[-1]]
    words = one.words[1:] if one.name == "set" else one.words[:1]
    return [word.removeprefix("timeout=") for word in words if word.startswith("timeout=")]


def located(word: str) -> str | None:
    """A file of GRUB's script on this host; None when it may be on any disk."""
    path = _GRUB_DIRECTORY.sub("/boot/grub", word, count=1)
    path = f"/boot{path}" if path.startswith("/grub/") else path
    is_plain = path.startswith("/boot/grub/") and ".." not in path and "$" not in path
    return path if is_plain else None
