"""The grammar of GRUB's scripts: words, blocks and conditions (grub-core/script).

What is not understood raises CheckError: a loop, a pipe, an open quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from checks.errors import CheckError

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\\\n) | (?P<comment>\#[^\n]*) | (?P<end>\n|;;?|&&|\|\||[|&]) |
    (?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\{[^}\n]*\}|[^\s;&|'"\\])+)""",
    re.VERBOSE | re.DOTALL,
)
_OPENS = {"if": "fi", "while": "done", "until": "done", "for": "done"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its words as written, the blocks behind it, and what joins it to the one before."""

    words: tuple[str, ...]
    blocks: tuple[tuple[Command, ...], ...] = ()
    joined: str = ";"


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
