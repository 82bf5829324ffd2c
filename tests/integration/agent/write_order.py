"""What a kill cannot show and a power cut would: the order of writes and syncs, read off strace's log.

Four rules over one undisturbed run, by path (strace --decode-fds=path):

    1  what is renamed over a managed path was synced after its last write
    2  a directory in which a managed name changed is synced before the outcome is printed
    3  the journal (every file of it, and its directory) is synced before the first managed name changes
    4  `done` is written after the last of 2, and synced before the outcome is printed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TRACE = "fsync,write,pwrite64,renameat,linkat,unlinkat,mkdirat,symlinkat,rmdir"
LINE = re.compile(r"(?P<call>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)")
FD = re.compile(r"(?P<fd>\d+)<(?P<path>[^>]*)>")
AT = re.compile(r'(?:\d+|AT_FDCWD)<(?P<directory>[^>]*)>, "(?P<name>[^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Event:
    """One successful call: what it did to which paths."""

    call: str
    paths: tuple[str, ...]
    text: str


def events(log: str) -> Iterator[Event]:
    """The calls of a log that succeeded."""
    for line in log.splitlines():
        match = LINE.match(line)
        if match is None or match["result"].startswith("-"):
            continue
        arguments = match["arguments"]
        named = (
            AT.finditer(arguments) if match["call"].endswith("at") else ()
        )  # else it is data that looks so
        pairs = [f"{one['directory']}/{one['name']}" for one in named]
        opened = FD.match(arguments)
        paths = tuple(pairs) or ((opened["path"],) if opened else ())
        yield Event(call=match["call"], paths=paths, text=arguments)


def broken_rules(log: str, root: str) -> list[str]:
    """Every place where the run was not durable; empty when a power cut can hurt nothing."""
    run = list(events(log))
    found: list[str] = []
    answer = next(i for i, event in enumerate(run) if event.call == "write" and event.text.startswith("1<"))
    journal = f"{root}/var/lib/hft/journal"
    changes = [i for i, event in enumerate(run[:answer]) if changes_managed(event, root)]
    first = changes[0]
    done = next(
        (i for i, one in enumerate(run) if one.call == "pwrite64" and '"phase\\": \\"done\\"' in one.text), -1
    )
    if done < 0:
        return ["nothing says `done`"]
    for i in changes:
        event = run[i]
        source, target = event.paths[0], event.paths[-1]
        if event.call == "renameat" and not synced(run, i, source):
            found.append(f"{target}: renamed before it was synced")
        directory = target.rpartition("/")[0]
        if not any(one.call == "fsync" and one.paths == (directory,) for one in run[i:done]):
            found.append(f"{target}: its directory is not synced before `done`")
    found += [f"{path}: not synced before the first change" for path in unsynced_below(run[:first], journal)]
    if not any(one.call == "fsync" and one.paths == (journal,) for one in run[:first]):
        found.append("the journal's directory is not synced before the first change")
    if done < changes[-1]:
        found.append("`done` is written before the last change")
    if not any(one.call == "fsync" and one.paths == run[done].paths for one in run[done:answer]):
        found.append("`done` is not synced before the outcome is printed")
    return found


def changes_managed(event: Event, root: str) -> bool:
    """Whether a name that somebody reads changes: a rename over it, or its removal."""
    if event.call not in {"renameat", "unlinkat"} or not event.paths[-1].startswith(root):
        return False
    path = event.paths[-1].removeprefix(root)
    return not path.startswith("/var/lib/hft/journal") and ".hft-" not in path


def synced(run: list[Event], upto: int, path: str) -> bool:
    """Whether PATH was synced after its last write before event UPTO; a link has nothing to sync."""
    writes = [i for i in range(upto) if run[i].call == "write" and run[i].paths == (path,)]
    if not writes:
        return any(run[i].call == "symlinkat" and run[i].paths[-1] == path for i in range(upto))
    return any(run[i].call == "fsync" and run[i].paths == (path,) for i in range(writes[-1], upto))


def unsynced_below(run: list[Event], directory: str) -> list[str]:
    """Files below DIRECTORY that were written and not synced after."""
    last = {
        one.paths[0]: i
        for i, one in enumerate(run)
        if one.call == "write" and one.paths[0].startswith(directory)
    }
    return [
        path
        for path, i in last.items()
        if not any(one.call == "fsync" and one.paths == (path,) for one in run[i:])
    ]
