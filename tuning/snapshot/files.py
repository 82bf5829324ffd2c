"""Snapshot: what was captured of a host, as text; nothing is decided and nothing is assumed here.

A mapping from absolute path to text, in the layout of /proc, /sys and /etc. Each path is in one of three
states: captured (text as read, with its final newline), captured as absent (None), or not in the mapping,
which means *not known*. Symbolic links are kept separately: path to target, as read. A live host, the local
machine, a recorded case and a captured tree all become this one value, so that one reader serves them all.

`parse_capture` reads what the capture script printed on a host. The host is not trusted: whatever it sends
becomes a Snapshot or a SnapshotError.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tuning.errors import SnapshotError
from tuning.snapshot.capture import CAPTURE_SCRIPT, OUTPUT_LIMIT_BYTES
from tuning.strict_json import ShapeError, parse

__all__ = ["CAPTURE_SCRIPT", "Snapshot", "parse_capture"]

SCHEMA = 1
_HEADER = "hft-capture 1"
_PATH_LIMIT = 1024
# 1, 2: grep matched nothing, or met files it could not read, which are not captured; 123: the same by xargs.
_STATUS_OK = ("0", "1", "2", "123")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One host as text; the module docstring explains the three states of a path."""

    files: Mapping[str, str | None] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    _sorted: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def below(self, prefix: str) -> list[str]:
        """The captured paths that begin with PREFIX, known to be absent or not, in their order.

        They are sorted once: a large host has tens of thousands, and a dozen readers want a few each.
        """
        if len(self._sorted) != len(self.files):
            self._sorted[:] = sorted(self.files)
        first = bisect_left(self._sorted, prefix)
        # The last code point sorts behind every path.
        return self._sorted[first : bisect_left(self._sorted, prefix + "\U0010ffff", first)]

    def text(self, path: str) -> str | None:
        """The content without surrounding blanks; None when absent or not known."""
        content = self.files.get(path)
        return None if content is None else content.strip()

    def is_absent(self, path: str) -> bool:
        """True when the host is known not to have this path."""
        return path in self.files and self.files[path] is None

    def is_known(self, path: str) -> bool:
        """True when the path was captured, even as absent."""
        return path in self.files

    def to_json(self) -> str:
        """The documented JSON form, keys sorted."""
        document = {"schema": SCHEMA, "files": dict(self.files), "links": dict(self.links)}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read the documented JSON form; SnapshotError with a sentence when it is not that."""
        try:
            document = parse(text, size_max=2 * OUTPUT_LIMIT_BYTES)
        except ShapeError as error:
            raise SnapshotError(f"the snapshot cannot be read: {error}") from error
        if not isinstance(document, dict) or repr(document.get("schema")) != repr(SCHEMA):
            raise SnapshotError(f"the snapshot is not of schema {SCHEMA}")
        files, links = document.get("files"), document.get("links")
        if not isinstance(files, dict) or not isinstance(links, dict):
            raise SnapshotError("the snapshot needs the objects 'files' and 'links'")
        for path, content in [*files.items(), *links.items()]:
            _check_path(path)
            if not isinstance(content, str) and not (content is None and path in files):
                raise SnapshotError(f"the snapshot's entry {_shown(path)} is neither text nor absent")
        return cls(files, links)


def parse_capture(output: str | bytes) -> Snapshot:
    """Read what CAPTURE_SCRIPT printed."""
    if len(output) > OUTPUT_LIMIT_BYTES:
        raise SnapshotError(f"the capture is larger than {OUTPUT_LIMIT_BYTES} bytes; it was not used")
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else output
    tokens = iter(_complete_body(text).split("\0"))
    files: dict[str, str | None] = {}
    for path in _section(tokens, "=links"):
        files[_absolute(path)] = None
    links = {_absolute(path): target for path, target in _pairs(tokens, "=files")}
    for path, content in _pairs(tokens, "=cpuinfo"):
        where = _absolute(path)
        earlier = files.get(where)
        if earlier == content:  # named, and matched by a pattern too: one file, read twice
            continue
        files[where] = content if earlier is None else f"{earlier}\0{content}"
    cpuinfo, lines = _single(tokens, "=lines"), _single(tokens, "=end")
    if cpuinfo:
        files["/proc/cpuinfo"] = cpuinfo
    files.update(_picked_lines(lines))
    return Snapshot(files, links)


def _complete_body(text: str) -> str:
    """The part between header and end marker, once both and the line count have been checked."""
    match = re.fullmatch(
        r"hft-capture 1\0=absent\0(?P<body>.*=end\0)(?P<status>[0-9]{1,3})\0\n(?P<lines>[0-9]{1,9})\s*",
        text,
        re.DOTALL,
    )
    if match is None:
        began = "began" if text.startswith(_HEADER) else "did not begin"
        raise SnapshotError(
            f"the capture is not complete: it {began} with {_HEADER!r}, {len(text)} characters, no end marker"
        )
    seen = text.count("\n", 0, match.end("status") + 2)
    if seen != int(match["lines"]):
        raise SnapshotError(f"the capture is not complete: {seen} of {match['lines']} lines arrived")
    if match["status"] not in _STATUS_OK:
        raise SnapshotError(
            f"the capture failed on the host: reading the files ended with status {match['status']}"
        )
    return match["body"]


def _section(tokens: Iterator[str], end: str) -> Iterator[str]:
    for token in tokens:
        if token == end:
            return
        yield token
    raise SnapshotError(f"the capture is damaged: the marker {end} is missing")


def _pairs(tokens: Iterator[str], end: str) -> Iterator[tuple[str, str]]:
    for path in _section(tokens, end):
        content = next(tokens, None)
        if content is None:
            raise SnapshotError(f"the capture is damaged: {_shown(path)} has no content")
        yield path, content


def _single(tokens: Iterator[str], end: str) -> str:
    return "\0".join(_section(tokens, end))


def _absolute(path: str) -> str:
    return _check_path("/" + path.removeprefix("./"))


def _check_path(path: str) -> str:
    if (
        not path.startswith("/")
        or path.startswith("//")
        or len(path) > _PATH_LIMIT
        or "\0" in path
        or "\n" in path
    ):
        raise SnapshotError(f"the capture holds {_shown(path)}, which is not an absolute path")
    return path


_PICKED = re.compile(
    r"(?P<path>boot/config-[^/:]{1,100}|proc/net/(?:ipv6_)?route|proc/(?P<pid>[0-9]{1,10})/stat(?:us)?)"
    r":(?P<line>.*)"
)


def _picked_lines(blob: str) -> dict[str, str | None]:
    """Lines of the configuration, the routes, of kernel threads and of PID 1; other processes are dropped."""
    found: dict[str, str] = {}
    kernel_threads = {"1"}
    for line in blob.split("\n"):
        match = _PICKED.fullmatch(line)
        if match:
            path = _absolute(match["path"])
            found[path] = found.get(path, "") + match["line"] + "\n"
            if path.endswith("/stat"):
                kernel_threads.add(match["pid"])
    return {
        path: text
        for path, text in found.items()
        if path.startswith(("/boot/", "/proc/net/")) or path.split("/")[2] in kernel_threads
    }


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "...")
