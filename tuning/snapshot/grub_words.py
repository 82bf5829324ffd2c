"""GRUB's script as commands of words: quotes, continued lines, `;` and blocks, by grub-core/script.

A command that is found by the look of its line is missed behind `;`, in an `if` of one line, over a
continued line, or with its name in quotes. So whoever asks what a menu does asks for its commands. Nothing is
run: conditions and variables keep their text, and what is found in a branch is found. A text that ends
inside of a quote ends there for GRUB, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t\r]|\\\n)+) | (?P<comment>\#[^\n]*) | (?P<end>\n|;;?|&&|\|\||[|&]) |
    (?P<brace>[{}]) | (?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\{[^}\n]*\}|[^ \t\r\n;&|'"\\{}])+)""",
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(
    r"""\\\n | \\(?P<escaped>.) | '(?P<plain>[^']*)' | "(?P<quoted>(?:\\.|[^"\\])*)" | (?P<text>[^'"\\]+)""",
    re.VERBOSE | re.DOTALL,
)
_IN_QUOTES = re.compile(r'\\(?:\n|(?P<plain>["\\]))|(?P<dollar>\\\$)', re.DOTALL)
_SECTION = re.compile(r"### (BEGIN|END)(?: (\S+))? ###")
_OPENING = frozenset({"if", "while", "until"})
_NEXT = frozenset({"then", "elif", "else", "do"})
_CLOSING = frozenset({"fi", "done"})
_PREFIXES = frozenset({"!", "time"})
_JOINED = frozenset({"&&", "||", "|", "&"})
ENTRIES = frozenset({"menuentry", "submenu"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its words without quotes (a dollar that is no variable as `\\$`), and where it stands.

    `within` names what it stands in, outermost first: `if` (a condition), `then`, `else`, `function`,
    `menuentry`, or `&&` for a command that depends on the one before. `script` is the generator script that
    wrote it, by the comments of grub-mkconfig; empty where there is none.
    """

    words: tuple[str, ...]
    within: tuple[str, ...]
    script: str

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def text(self) -> str:
        """The words for a message, at most 60 characters."""
        return " ".join(self.words)[:60]

    @property
    def is_in_entry(self) -> bool:
        """Whether it runs only once its entry was chosen."""
        return not ENTRIES.isdisjoint(self.within)


def commands(text: str) -> Iterator[Command]:
    """Every command of a script, in the order of its text."""
    reader = _Reader()
    for kind, token in _tokens(text):
        yield from reader.take(kind, token)
    yield from reader.end("\n")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while match := _TOKEN.match(text, place):
        place = match.end()
        if match.lastgroup and match.lastgroup != "blank":
            yield match.lastgroup, match[0]


class _Reader:
    """The place in a script: what is open, the words of the command at hand, and the section it stands in."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.words: list[str] = []
        self.script, self.joined = "", False

    def take(self, kind: str, token: str) -> Iterator[Command]:
        """The command that this token ends, if it ends one."""
        if kind == "comment":
            if section := _SECTION.fullmatch(token.strip()):
                self.script = (section[2] or "") if section[1] == "BEGIN" else ""
        elif kind == "end":
            yield from self.end(token)
        elif kind == "brace":
            yield from self.brace(token)
        else:
            self.word(token, token.replace("\\\n", ""))

    def word(self, token: str, keyword: str) -> None:
        """One word of a command, or a word of the grammar where a command begins."""
        if self.words or keyword not in _OPENING | _NEXT | _CLOSING | _PREFIXES:
            self.words.append(plain(token))
        elif keyword in _OPENING:
            self.open.append(f"&& {keyword}" if self.joined else keyword)
            self.joined = False
        elif keyword not in _PREFIXES and self.open:
            self.open.pop()
            if keyword in _NEXT:
                self.open.append("if" if keyword == "elif" else keyword)

    def end(self, token: str) -> Iterator[Command]:
        """A separator: the command is complete, but for a function whose block comes on the next line."""
        if self.words and self.words[0] != "function":
            within = (*self.open, "&&") if self.joined else tuple(self.open)
            yield Command(words=tuple(self.words), within=within, script=self.script)
            if self.words[0] == "for":
                self.open.append("for")
            self.words = []
        self.joined = token in _JOINED

    def brace(self, text: str) -> Iterator[Command]:
        """A block opens behind its command, or closes."""
        if text == "{":
            block = self.words[0] if self.words else "{"
            if block == "function":
                self.words = []
            yield from self.end(";")
            self.open.append(block)
            return
        yield from self.end(";")
        if self.open:
            self.open.pop()


def plain(token: str) -> str:
    """A word without its quotes; a dollar that is no variable is written as `\\$`."""
    return "".join(map(_plain_part, _PART.finditer(token)))


def _plain_part(part: re.Match[str]) -> str:
    if part["quoted"] is not None:
        return _IN_QUOTES.sub(lambda one: one["dollar"] or one["plain"] or "", part["quoted"])
    if part["text"] is not None:
        return part["text"]
    literal = part["plain"] if part["plain"] is not None else part["escaped"]
    return (literal or "").replace("$", "\\$")
