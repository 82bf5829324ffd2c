"""GRUB's script language, as much of it as decides what boots: words, blocks, conditions, menu entries.

`parse` reads a script into commands, `Grub` runs them without touching anything: it keeps variables, collects
menu entries in order and, inside an entry, remembers what `linux` and `initrd` were given. Sources: the GRUB
manual, "Writing full configuration files directly" and "The list of commands"; grub-core/script and
grub-core/normal/menu.c.

What cannot be known here (is this firmware EFI? did that module load?) is a `World`: a caller runs the same
script in several and believes only an answer that all of them give. A construct that is not understood raises
CheckError, so that nothing is ever taken for the menu that GRUB does not show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from checks.errors import CheckError

DEPTH_MAX = 20  # files and functions inside of each other
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\\\n) | (?P<comment>\#[^\n]*) | (?P<end>\n|;;?|&&|\|\||[|&]) |
    (?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\{[^}\n]*\}|[^\s;&|'"\\])+)""",
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(
    r"""'(?P<plain>[^']*)' | "(?P<quoted>(?:\\.|[^"\\])*)" | \\(?P<escaped>.) |
    \$\{(?P<braced>[^}]*)\} | \$(?P<name>[A-Za-z_][A-Za-z0-9_]*|[0-9?@*\#]) | (?P<text>[^'"\\$]+|\$)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_OPENS = {"if": "fi", "while": "done", "until": "done", "for": "done"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its words as written, the blocks behind it, and what joins it to the one before."""

    words: tuple[str, ...]
    blocks: tuple[tuple[Command, ...], ...] = ()
    joined: str = ";"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A menu entry, or a submenu: what it is called by, and the commands that it runs."""

    title: str
    ident: str
    is_submenu: bool
    body: tuple[Command, ...]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the text does not tell: the platform, and whether commands that we do not know succeed."""

    platform: str
    others_succeed: bool


WORLDS = tuple(World(platform=name, others_succeed=well) for name in ("pc", "efi") for well in (True, False))


def parse(text: str) -> tuple[Command, ...]:
    """The commands of a script; CheckError when it ends inside of something."""
    tokens = _Tokens(list(_tokens(text)))
    found = tokens.commands(())
    if tokens.here is not None:
        raise CheckError(f"grub.cfg: {tokens.here[:40]!r} stands where a command should")
    return found


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise CheckError(f"grub.cfg: a quote is not closed at {text[place : place + 40]!r}")
        place = match.end()
        if match.lastgroup == "end":
            yield ";" if match[0] in ("\n", ";") else match[0]
        elif match.lastgroup == "word":
            yield match[0]


class _Tokens:
    """A cursor over the words of a script; the methods are its grammar."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.place = words, 0

    @property
    def here(self) -> str | None:
        return self.words[self.place] if self.place < len(self.words) else None

    def take(self) -> str:
        word = self.here
        if word is None:
            raise CheckError("grub.cfg ends inside of a block")
        self.place += 1
        return word

    def skip(self) -> None:
        while self.here == ";":
            self.place += 1

    def commands(self, closing: tuple[str, ...]) -> tuple[Command, ...]:
        """Commands up to one of the CLOSING words, which is left there."""
        found: list[Command] = []
        joined = ";"
        self.skip()
        while self.here is not None and self.here not in closing:
            found.append(self.command(joined))
            joined = self.here if self.here in ("&&", "||") else ";"
            if self.here in ("&&", "||"):
                self.take()
            elif self.here not in (None, ";", *closing):
                raise CheckError(f"grub.cfg: {self.here[:40]!r} is not understood")
            self.skip()
        return tuple(found)

    def command(self, joined: str) -> Command:
        word = self.take()
        if word == "if":
            return self.condition(joined)
        if word in _OPENS:
            raise CheckError(f"grub.cfg: a loop ({word}) is not understood")
        words = [word]
        while self.here is not None and self.here not in (";", "&&", "||", "|", "&", ";;"):
            if self.here == "{" and words[0] in ("menuentry", "submenu", "function"):
                return Command(words=tuple(words), blocks=(self.block(),), joined=joined)
            if self.here == "}" and len(words) > 0:
                break
            words.append(self.take())
        if words[0] == "function":
            self.skip()
            return Command(words=tuple(words), blocks=(self.block(),), joined=joined)
        return Command(words=tuple(words), joined=joined)

    def block(self) -> tuple[Command, ...]:
        if self.take() != "{":
            raise CheckError("grub.cfg: a block does not begin with {")
        inside = self.commands(("}",))
        self.take()
        return inside

    def condition(self, joined: str) -> Command:
        """`if A; then B; elif C; then D; else E; fi` as blocks A B C D E."""
        blocks = [self.commands(("then",))]
        while True:
            self.take()
            blocks.append(self.commands(("elif", "else", "fi")))
            word = self.take()
            if word == "elif":
                blocks.append(self.commands(("then",)))
                continue
            if word == "else":
                blocks.append(self.commands(("fi",)))
                self.take()
            return Command(words=("if",), blocks=tuple(blocks), joined=joined)


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

    def run(self, commands: Sequence[Command]) -> bool:
        """Whether the last command succeeded."""
        well = True
        for one in commands:
            if self.ended:
                return well
            if (one.joined == "&&" and not well) or (one.joined == "||" and well):
                continue
            well = self.one(one)
        return well

    def one(self, command: Command) -> bool:
        """Run one command, and keep its outcome in `$?`."""
        well = self.step(command)
        self.variables["?"] = "0" if well else "1"
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
            return not self.call(words[1:])
        if words[0] in ("menuentry", "submenu"):
            if command.blocks:
                self.entries.append(_entry(words, command.blocks[0]))
            return True
        return self.call(words)

    def choose(self, blocks: Sequence[tuple[Command, ...]]) -> bool:
        """The first branch whose condition holds."""
        for place in range(0, len(blocks) - 1, 2):
            if self.run(blocks[place]):
                return self.run(blocks[place + 1])
        return self.run(blocks[-1]) if len(blocks) % 2 else True

    def call(self, words: Sequence[str]) -> bool:  # noqa: PLR0911, PLR0912  # one line for each command of GRUB's
        """Run a command by its name."""
        name, rest = (words[0], words[1:]) if words else ("true", ())
        if name in self.functions:
            return self.deeper(self.functions[name])
        if _ASSIGNMENT.match(name) and not rest:
            return self.assign([name])
        match name:
            case "true" | ":":
                return True
            case "false":
                return False
            case "[" | "test":
                return self.test([word for word in rest if word != "]"])
            case "set":
                return self.assign(rest)
            case "unset":
                for one in rest:
                    self.variables.pop(one, None)
                return True
            case "load_env":
                self.variables |= self.saved
                return True
            case "save_env":
                self.saved |= {one: self.variables.get(one, "") for one in rest}
                return True
            case "source" | "." | "configfile":
                return self.source(rest)
            case "linux" | "linux16" | "linuxefi":
                return self.load(rest)
            case "initrd" | "initrd16" | "initrdefi":
                paths = tuple(one for one in rest if not one.startswith("--"))
                if any(self.read(one) is None for one in paths):
                    return False
                self.initrds = paths
                return bool(paths)
            case "reboot" | "halt" | "exit" | "chainloader" | "multiboot" | "multiboot2" | "boot":
                self.ended = name
                return True
            case "return" | "break" | "eval" | "extract_entries_source" | "normal":
                raise CheckError(f"grub.cfg: {name} is not understood")
            case (
                "insmod" | "export" | "echo" | "search" | "load_video" | "terminal_input" | "terminal_output"
            ):
                return True
            case _:
                return self.world.others_succeed

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
            return self.world.others_succeed
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

    def value(self, name: str) -> str:
        """A variable; those that GRUB itself sets are known from the world."""
        given = {
            "grub_platform": self.world.platform,
            "prefix": "/boot/grub",
            "config_directory": "/boot/grub",
            "root": "hd0",
        }
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
    )
