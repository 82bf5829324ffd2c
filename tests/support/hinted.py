"""Every command that a message may name, as the words of each call of `command` (transport/hint.py)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.checkout import ROOT

ROOMS = ("checks", "deploys", "drills", "hft", "inventory", "lab", "transport")


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def hinted() -> list[tuple[str, ...]]:
    """The words of every call of `command`; what is computed there is a host's name."""
    found: set[tuple[str, ...]] = set()
    for path, tree in sources():
        for node in ast.walk(tree) if "from transport.hint import" in path.read_text() else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
                words = tuple(
                    str(one.value) if isinstance(one, ast.Constant) else "HOST" for one in node.args
                )
                found.add(words)
    starred = {words for words in found if words[0] == "HOST"}
    assert starred == {("HOST", "HOST")}, "computed verbs are spelled out below"
    return sorted((found - starred) | {("recover", "HOST"), ("apply", "--limit", "HOST")})


HINTED = hinted()
