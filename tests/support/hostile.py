"""What somebody hostile writes into a document or a field: payloads, and every leaf as it should not be."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any


def nested(levels: int) -> Any:
    """A list in a list in a list."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


# What no reader may take for something else: other types, other sizes, depths, words and signs.
WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**70, 10**400),
    *("", "x", "-x", "0" * 64, "\x1b]0;title\x07", "\u202e", "a\nb", "\x00", "\ud800", "x" * 100_000),
    *([], {}, [None], {"": None}, [[]], {"txn": []}, {"state": [], "txn": {}}, nested(50), nested(200)),
)

MARKER = "hft-planted"
# Texts that a shell, a template, ssh(1), systemd, a terminal or a path would take for more; {mark} is a file
# that must not come into being.
PAYLOADS: tuple[str, ...] = (
    "$(touch {mark})",
    "`touch {mark}`",
    "; touch {mark}",
    "| touch {mark}",
    "& touch {mark} &",
    "&& touch {mark}",
    "|| touch {mark}",
    "\ntouch {mark}\n",
    "\r\ntouch {mark}",
    "'; touch {mark}; '",
    '"; touch {mark}; "',
    "' -o ProxyCommand='touch {mark}",
    "-oProxyCommand=touch {mark}",
    "-o ProxyCommand=touch {mark}",
    "--rsh=touch {mark}",
    "-e touch {mark}",
    "{{{{ lookup('pipe', 'touch {mark}') }}}}",
    "{{{{ cycler.__init__.__globals__.os.popen('touch {mark}').read() }}}}",
    "{{% for x in ().__class__.__base__.__subclasses__() %}}{{% endfor %}}",
    "${{IFS}}touch${{IFS}}{mark}",
    "$IFS;touch$IFS{mark}",
    ">{mark}",
    "x >{mark}",
    "<(touch {mark})",
    "!touch {mark}",
    "=touch {mark}",
    "@{mark}",
    "%{{touch {mark}}}",
    "%n%s%x",
    "../../../../../../{mark}",
    "/{mark}",
    "~/{mark}",
    "file://{mark}",
    "x\x00touch {mark}",
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[Hall hosts ok",
    "\u202eko stsoh lla",
    "[link=https://x]all ok[/link]",
    "[/x]",
    "ExecStart=touch {mark}",
    "x\nExecStartPre=+/bin/sh -c 'touch {mark}'",
    "0\nf+ {mark} 0644 root root - x",
    "0\nkernel.core_pattern=|/bin/touch {mark}",
    "+/bin/touch {mark}",
    "quiet init=/bin/sh",
    "__import__('os').system('touch {mark}')",
    "!!python/object/apply:os.system ['touch {mark}']",
    "\ud800",
    "x" * 70_000,
)


def leaves(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values inside a document, its inner nodes included."""
    inside = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in inside:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*at, key))


def replaced(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy with VALUE in one place."""
    made = copy.deepcopy(document)
    inside = made
    for step in at[:-1]:
        inside = inside[step]
    inside[at[-1]] = value
    return made


def without(document: Any, at: tuple[Any, ...]) -> Any:
    """A copy without one place."""
    made = copy.deepcopy(document)
    inside = made
    for step in at[:-1]:
        inside = inside[step]
    del inside[at[-1]]
    return made


def wrong_documents(document: Any, seed: int, count: int | None = None) -> Iterator[Any]:
    """Every leaf wrong in every way, and left out; COUNT of them by the seed when there are more."""
    places = list(leaves(document))
    made = [(place, value) for place in places for value in (*WRONG, without)]
    if count is not None and count < len(made):
        made = random.Random(seed).sample(made, count)
    for place, value in made:
        yield without(document, place) if value is without else replaced(document, place, value)
