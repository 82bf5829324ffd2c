r"""One remote command line that every login shell reads alike.

sshd(8) hands the line to the account's login shell, whatever that is. Plain words and words in single quotes
mean the same to sh, bash, zsh, csh, tcsh and fish; a line end or an exclamation mark inside quotes ends or
changes the line in a C shell, as a backslash does in fish, and anything unquoted is that shell's own
language. So a line that holds more than such words is handed on as one word for sh(1), spelled in octal
(printf(1), %b).
"""

from __future__ import annotations

import re

_PLAIN = r"[A-Za-z0-9_@%+=:,./-]"
_QUOTED = r"'[ \"-&(-\[\]-~]*'"  # printable ASCII without ! \ and the quote itself
_WORD = rf"(?![%=])(?:{_PLAIN}|{_QUOTED}|\"'\")++"  # one way to read each part, tried once: linear
_ALIKE = re.compile(rf"{_WORD}(?: {_WORD})*")
_SPELLED = re.compile(r"[^A-Za-z0-9 _@%+=:,./-]")


def for_any_shell(line: str) -> str:
    """LINE, which is one of sh(1), as every login shell hands it on to sh(1) or runs it itself."""
    if _ALIKE.fullmatch(line):
        return line
    spelled = _SPELLED.sub(lambda found: "".join(f"\\0{byte:03o}" for byte in found[0].encode()), line)
    return f"""sh -c 'eval "$(printf %b "{spelled}")"'"""
