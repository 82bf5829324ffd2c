"""GRUB's script language, as much of it as decides what boots: words, blocks, conditions, menu entries.

`Grub` runs a parsed script without touching anything: it keeps variables, collects
menu entries in order and, inside an entry, remembers what `linux` and `initrd` were given. Sources: the GRUB
manual, "Writing full configuration files directly" and "The list of commands"; grub-core/script and
grub-core/normal/menu.c.

What cannot be known here (is this firmware EFI? did that font load?) is a `World`: a caller runs the same
script in every one that the script asks about, and believes only an answer that all of them give. What could
set a variable or end the walk, and is not understood, raises CheckError, so that nothing is ever taken for
the menu that GRUB does not show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from checks.errors import CheckError
from checks.grub_parse import Command, parse

DEPTH_MAX = 20  # files and functions inside of each other
_PART = re.compile(
    r"""'(?P<plain>[^']*)' | "(?P<quoted>(?:\\.|[^"\\])*)" | \\(?P<escaped>.) |
    \$\{(?P<braced>[^}]*)\} | \$(?P<name>[A-Za-z_][A-Za-z0-9_]*|[0-9?@*\#]) | (?P<text>[^'"\\$]+|\$)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A menu entry, or a submenu: what it is called by, and the commands that it runs."""

    title: str
    ident: str
    is_submenu: bool
    body: tuple[Command, ...]
    arguments: tuple[str, ...] = ()
    is_unrestricted: bool = True


class UndecidedError(CheckError):
    """A branch depends on something that is not known: WHAT. The walk has to be run with either answer."""

    def __init__(self, what: str) -> None:
        super().__init__(f"grub.cfg: whether {what[:60]} succeeds is not known")
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the text does not tell: the platform, and for each question that the script asks, its answer."""

    platform: str
    answers: tuple[tuple[str, bool], ...] = ()

    def answer(self, what: str) -> bool:
        """Whether a command succeeds, or a file exists; UndecidedError where this world does not say."""
        for known, answer in self.answers:
            if known == what:
                return answer
        raise UndecidedError(what)

    def where(self, what: str, *, answer: bool) -> World:
        """This world with one more answer."""
        return replace(self, answers=(*self.answers, (what, answer)))


WORLDS = (World(platform="pc"), World(platform="efi"))
WORLDS_MAX = 128
# Commands that set nothing and end nothing; whether they succeed is not known.
HARMLESS = frozenset(
    (
        "background_color",
        "background_image",
        "clear",
        "cpuid",
        "keystatus",
        "loadfont",
        "play",
        "serial",
        "sleep",
    )
)
SET_NOTHING = frozenset(
    ("echo", "export", "insmod", "load_video", "rmmod", "terminal_input", "terminal_output", "true", ":")
)
SET_VARIABLES = frozenset({"hwmatch", "probe", "regexp", "search", "smbios"})


@dataclass(slots=True, kw_only=True)
class Grub:
    """GRUB before its menu, in one world: variables, functions, entries, and what an entry loads.

    READ gives a file's text: None when it does not exist; CheckError when that is not known.
    """

    world: World
    read: Callable[[str], str | None]
    saved: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    functions: dict[str, tuple[Command, ...]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    kernel: tuple[str, ...] = ()
    initrds: tuple[str, ...] = ()
    ended: str = ""
    depth: int = 0
    root_uuid: str | None = None
    not_known: set[str] = field(default_factory=set)  # variables that a command has set to we know not what
    untold: bool = False  # whether the outcome of the last command is not known
    deciding: int = 0  # how many branches wait for what runs now

    def run(self, commands: Sequence[Command]) -> bool:
        """Whether the last command succeeded."""
        well = True
        joins = [one.joined != ";" for one in commands[1:]] + [False]
        for one, is_asked in zip(commands, joins, strict=False):
            if self.ended:
                return well
            if (one.joined == "&&" and not well) or (one.joined == "||" and well):
                continue
            self.deciding += is_asked
            well = self.one(one)
            self.deciding -= is_asked
        return well

    def one(self, command: Command) -> bool:
        """Run one command, and keep its outcome in `$?`."""
        self.untold = False
        well = self.step(command)
        self.variables["?"] = "0" if well else "1"
        self.not_known = self.not_known | {"?"} if self.untold else self.not_known - {"?"}
        return well

    def step(self, command: Command) -> bool:
        """Run one command."""
        if command.words[0] == "if":
            return self.choose(command.blocks)
        if command.words[0] == "function":
            self.functions[command.words[1]] = command.blocks[0]
            return True
        words = [word for raw in command.words for word in self.expand(raw)]
        if not words:
            return True
        if words[0] == "!":
            self.deciding += 1
            well = self.call(words[1:])
            self.deciding -= 1
            return not well
        if words[0] in ("menuentry", "submenu"):
            if command.blocks:
                self.entries.append(_entry(words, command.blocks[0]))
            return True
        return self.call(words)

    def choose(self, blocks: Sequence[tuple[Command, ...]]) -> bool:
        """The first branch whose condition holds."""
        for place in range(0, len(blocks) - 1, 2):
            self.deciding += 1
            holds = self.run(blocks[place])
            self.deciding -= 1
            if holds:
                return self.run(blocks[place + 1])
        return self.run(blocks[-1]) if len(blocks) % 2 else True

    def call(self, words: Sequence[str]) -> bool:  # noqa: PLR0911, PLR0912  # one line for each command of GRUB's
        """Run a command by its name."""
        name, rest = (words[0], words[1:]) if words else ("true", ())
        if name in self.functions:
            return self.function(name, rest)
        if _ASSIGNMENT.match(name) and not rest:
            return self.assign([name])
        if name in SET_NOTHING:
            return True
        if name in HARMLESS:
            return self.outcome(words)
        if name in SET_VARIABLES:
            return self.sets(name, rest)
        match name:
            case "false":
                return False
            case "[" | "test":
                return self.test([word for word in rest if word != "]"])
            case "set":
                return self.assign(rest)
            case "unset":
                for one in rest:
                    self.variables.pop(one, None)
                    self.not_known.discard(one)
                return True
            case "load_env" | "save_env":
                return self.environment(name, rest)
            case "source" | ".":
                return self.source(rest)
            case "linux" | "linux16" | "linuxefi":
                return self.load(rest)
            case "initrd" | "initrd16" | "initrdefi":
                paths = tuple(one for one in rest if not one.startswith("--"))
                if any(self.read(one) is None for one in paths):
                    return False
                self.initrds = paths
                return bool(paths)
            case "fwsetup" if "--is-supported" in rest:
                return self.outcome(words)
            case "reboot" | "halt" | "exit" | "chainloader" | "multiboot" | "multiboot2" | "boot" | "fwsetup":
                self.ended = name
                return True
            case _:
                raise CheckError(f"grub.cfg: {name[:60]} is not understood")

    def outcome(self, words: Sequence[str]) -> bool:
        """Whether a command succeeds: asked of the world only where something hangs on it."""
        if self.deciding:
            return self.world.answer(" ".join(words))
        self.untold = True
        return True

    def function(self, name: str, arguments: Sequence[str]) -> bool:
        """Run a function with its arguments as `$1` and so on."""
        kept = dict(self.variables)
        given = {str(place): word for place, word in enumerate(arguments, 1)}
        given |= {"#": str(len(arguments)), "@": " ".join(arguments), "*": " ".join(arguments)}
        own = [one for one in self.variables if one.isdecimal()]
        for one in own:
            del self.variables[one]
        self.variables |= given
        well = self.deeper(self.functions[name])
        for one in given:
            self.variables.pop(one, None)
        self.variables |= {one: kept[one] for one in (*own, *(set("#@*") & kept.keys()))}
        return well

    def sets(self, name: str, words: Sequence[str]) -> bool:
        """A command that sets variables to what is not known here; of `search` the file system is kept."""
        names = {"match"} if name == "hwmatch" else set()
        for place, word in enumerate(words):
            if found := re.fullmatch(r"(?:--set|-s)(?:=(?:[0-9]+:)?(.+))?", word):
                after = words[place + 1] if place + 1 < len(words) else ""
                names.add(found[1] or ("root" if name == "search" else after.rpartition(":")[2]))
        if name == "search" and names <= {"root"}:
            self.root_uuid = words[-1] if {"--fs-uuid", "-u"} & set(words) else None
            names = set()
        self.not_known |= names
        return self.outcome([name, *words])

    def environment(self, name: str, words: Sequence[str]) -> bool:
        """load_env and save_env on the block of the host; any other block is not known."""
        if any(one.startswith(("-f", "--file")) for one in words):
            if name == "save_env":
                return self.outcome([name, *words])
            raise CheckError("grub.cfg: load_env reads a block that is not known")
        wanted = [one for one in words if not one.startswith("-")]
        if name == "save_env":
            self.saved |= {one: self.value(one) for one in wanted}
            return True
        loaded = {one: text for one, text in self.saved.items() if not wanted or one in wanted}
        self.variables |= loaded
        self.not_known -= loaded.keys()
        return True

    def load(self, words: Sequence[str]) -> bool:
        if not words or self.read(words[0]) is None:
            return False
        self.kernel, self.initrds = tuple(words), ()
        return True

    def deeper(self, commands: Sequence[Command]) -> bool:
        if self.depth > DEPTH_MAX:
            raise CheckError("grub.cfg: files or functions call each other without end")
        self.depth += 1
        well = self.run(commands)
        self.depth -= 1
        return well

    def source(self, words: Sequence[str]) -> bool:
        text = self.read(words[0]) if words else None
        return text is not None and self.deeper(parse(text))

    def assign(self, words: Sequence[str]) -> bool:
        for one in words:
            name, equals, value = one.partition("=")
            if equals:
                self.variables[name] = value
                self.not_known.discard(name)
        return True

    def test(self, words: Sequence[str]) -> bool:  # noqa: PLR0911  # one line for each form of a condition
        """The conditions of grub-core/commands/test.c that a generated grub.cfg uses."""
        if "-o" in words:
            place = words.index("-o")
            return self.test(words[:place]) or self.test(words[place + 1 :])
        if "-a" in words:
            place = words.index("-a")
            return self.test(words[:place]) and self.test(words[place + 1 :])
        match list(words):
            case []:
                return False
            case ["!", *rest]:
                return not self.test(rest)
            case [("-f" | "-e" | "-s"), path]:
                return self.exists(path, filled=words[0] == "-s")
            case ["-z", text]:
                return text == ""
            case ["-n", text] | [text]:
                return text != ""
            case [left, ("=" | "=="), right]:
                return left == right
            case [left, "!=", right]:
                return left != right
            case _:
                raise CheckError(f"grub.cfg: the condition [ {' '.join(words)[:60]} ] is not understood")

    def exists(self, path: str, *, filled: bool) -> bool:
        """Whether a file is there; one that nobody read is there in some worlds only."""
        try:
            text = self.read(path)
        except CheckError:
            return self.world.answer(f"the file {path}")
        return text is not None and (text != "" or not filled)

    def expand(self, raw: str) -> list[str]:
        """The words that one written word becomes: an unquoted variable may vanish, or be several."""
        found, quoted, blank = [""], False, False
        for part in _PART.finditer(raw):
            match part.lastgroup:
                case "plain" | "escaped" | "text":
                    found[-1] += "" if part[0] == "\\\n" else part[part.lastgroup]
                    quoted |= part.lastgroup != "text"
                case "quoted":
                    found[-1] += _ESCAPE.sub(self.within_quotes, part["quoted"])
                    quoted = True
                case _:
                    blank = True
                    pieces = re.split(r"[ \t\n]+", self.value(part["braced"] or part["name"]))
                    found[-1] += pieces[0]
                    found += pieces[1:]
        return [one for one in found if one or quoted or not blank]

    def within_quotes(self, one: re.Match[str]) -> str:
        """A variable or an escaped character between double quotes."""
        return one["escaped"] if one["escaped"] is not None else self.value(one["braced"] or one["name"])

    def variable(self, name: str) -> str | None:
        """A variable as GRUB's own code asks for it; None when it is not set."""
        return self.value(name) if name in self.variables or name in self.not_known else None

    def value(self, name: str) -> str:
        """A variable; those that GRUB itself sets are known from the world."""
        given = {
            "grub_platform": self.world.platform,
            "prefix": "/boot/grub",
            "config_directory": "/boot/grub",
            "root": "hd0",
        }
        if name in self.not_known:
            raise CheckError(f"grub.cfg: what {name[:60]} is set to is not known")
        if name.startswith("feature_"):
            return self.variables.get(name, "y")
        return self.variables.get(name, given.get(name, ""))


_ESCAPE = re.compile(
    r'\$\{(?P<braced>[^}]*)\}|\$(?P<name>[A-Za-z_][A-Za-z0-9_]*|[0-9?@*#])|\\(?P<escaped>[\\"$\n])', re.DOTALL
)


def _entry(words: Sequence[str], body: tuple[Command, ...]) -> Entry:
    """Title and id of `menuentry TITLE [--class C] [--id ID] ...`; without --id GRUB takes the title."""
    rest = list(words[1:])
    positional: list[str] = []
    ident: str | None = None
    while rest:
        word = rest.pop(0)
        if word in ("--class", "--users", "--hotkey", "--id", "-c", "-k", "-i") or word == "--source":
            value = rest.pop(0) if rest else ""
            ident = value if word in ("--id", "-i") else ident
        elif word.startswith("--id="):
            ident = word.removeprefix("--id=")
        elif not word.startswith("--"):
            positional.append(word)
    title = positional[0] if positional else ""
    return Entry(
        title=title,
        ident=title if ident is None else ident,
        is_submenu=words[0] == "submenu",
        body=body,
        arguments=tuple(positional),
        is_unrestricted="--unrestricted" in words,
    )
