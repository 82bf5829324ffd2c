"""What stands where the agent is about to write: a folder, a pipe, a link, a file in place of a folder.

Whoever finds that in the middle of a transaction undoes all of it. So every place is looked at before
anything is written, and the refusal names the place, what is there, and the way out. Nothing is opened or
followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from agent.errors import RefusedError
from agent.host import HostRoot

# What can be at a place, in the words that a refusal says.
Kind: TypeAlias = Literal["a folder", "a file", "a pipe", "a socket", "a device", "a symbolic link"]
_KINDS: tuple[tuple[Callable[[int], bool], Kind], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def check(
    host: HostRoot, *, files: Iterable[str] = (), links: Iterable[str] = (), folders: Iterable[str] = ()
) -> None:
    """RefusedError (preflight) unless each place is free or holds what is written there, in real folders."""
    wanted: dict[Kind, Iterable[str]] = {"a file": files, "a symbolic link": links, "a folder": folders}
    for kind, paths in wanted.items():
        for path in paths:
            if why := obstacle(host, path, kind):
                raise RefusedError("preflight", why)


def obstacle(host: HostRoot, path: str, kind: Kind) -> str | None:
    """What stands in the way of a KIND at PATH, with the way out; None when nothing does."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts)):
        above = "/" + "/".join(parts[:depth])
        if (found := kind_of(host, above)) not in {None, "a folder"}:
            return f"{above} is {found}, and a folder has to be there; move it away, then apply again"
    if (found := kind_of(host, path)) not in {None, kind}:
        return f"{path} is {found}, and {kind} has to be there; move it away, then apply again"
    return None


def kind_of(host: HostRoot, path: str) -> Kind | None:
    """What is at PATH, itself and not where it leads to; None for nothing."""
    try:
        mode = os.lstat(host.path(path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return next((name for is_it, name in _KINDS if is_it(mode)), "a symbolic link")
