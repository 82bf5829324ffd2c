"""A login shell that is none of POSIX: it knows plain words and quotes, and refuses what shells read apart.

As a program it is the login shell of an account (`SHELL -c LINE`); it needs nothing but Python.
"""

from __future__ import annotations

import os
import re
import sys

# In single quotes a C shell still minds line ends and `!`, and fish reads `\\` and `\'` as one sign each.
_PIECE = re.compile(r"([A-Za-z0-9_@%+=:,./-]+)|'((?:[^'!\\\n]|\\0[0-7]{3})*)'|\"(')\"")


def read_by_any_shell(line: str) -> list[str]:
    """The words of a line; ValueError for what two shells would not read alike."""
    words: list[str] = []
    for raw in _split(line):
        at, word = 0, ""
        while at < len(raw):
            found = _PIECE.match(raw, at)
            if found is None or (at == 0 and raw[0] in "%=~"):
                raise ValueError(f"no shell knows what to make of {raw[at:]!r}")
            word, at = word + "".join(part or "" for part in found.groups()), found.end()
        words.append(word)
    return words


def _split(line: str) -> list[str]:
    """At the blanks that stand in no quotes."""
    return re.findall(r"(?:'[^']*'|\"[^\"]*\"|[^ '\"])+", line)


if __name__ == "__main__":
    try:
        asked = read_by_any_shell(sys.argv[2])
    except (ValueError, IndexError) as error:
        sys.exit(f"odd shell: {error}")
    os.execvp(asked[0], asked)
