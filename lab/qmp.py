"""QEMU's control socket (QMP): one command per connection, and the events that a VM recorded in its files.

Protocol: QEMU's docs/interop/qmp-spec. JSON lines; a greeting, `qmp_capabilities`, then commands, interleaved
with events.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from lab.errors import LabError

COMMAND_TIMEOUT_S = 120.0
# One power-on or reset shows up to three RESET events: SeaBIOS resets once more to restore its own image.
_SAME_RESET_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One asynchronous event: RESET, SHUTDOWN, WATCHDOG, STOP, RESUME ..."""

    at_s: float
    name: str
    data: Mapping[str, Any]


def command(path: Path, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """Run one QMP command on the monitor at PATH and return what it returns."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(COMMAND_TIMEOUT_S)
        try:
            connection.connect(str(path))
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()
                _ask(stream, {"execute": "qmp_capabilities"}, path)
                answer = _ask(stream, {"execute": name, "arguments": arguments or {}}, path)
        except OSError as error:
            raise LabError(f"QEMU's monitor {path} does not answer {name}: {error}") from error
    if "error" in answer:
        raise LabError(f"QEMU refused {name}: {answer['error'].get('desc', answer['error'])}")
    return answer["return"]


def _ask(stream: TextIO, request: Mapping[str, Any], path: Path) -> dict[str, Any]:
    stream.write(json.dumps(request) + "\n")
    stream.flush()
    while line := stream.readline():
        message = json.loads(line)
        if isinstance(message, dict) and ("return" in message or "error" in message):
            return message
    raise LabError(f"QEMU closed its monitor {path}")


def monitor(path: Path, line: str) -> str:
    """Run one line of the human monitor (savevm and loadvm exist only there) and return what it printed."""
    return str(command(path, "human-monitor-command", {"command-line": line})).strip()


def parse_events(text: str) -> tuple[Event, ...]:
    """The events among the JSON lines of TEXT; a last line without a newline is still being written."""
    complete = text[: text.rfind("\n") + 1]
    messages = [json.loads(line) for line in complete.splitlines() if line.strip()]
    return tuple(
        Event(
            at_s=message["timestamp"]["seconds"] + message["timestamp"]["microseconds"] / 1e6,
            name=message["event"],
            data=message.get("data", {}),
        )
        for message in messages
        if "event" in message
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """One reset of the machine and its cause: watchdog, guest (reboot, panic, GRUB) or host (the lab)."""

    at_s: float
    by: str


def resets(events: tuple[Event, ...]) -> tuple[Reset, ...]:
    """The resets in EVENTS; the firmware's repeated events are folded into one."""
    found: list[Reset] = []
    watchdog_s = float("-inf")
    for event in events:
        if event.name == "WATCHDOG":
            watchdog_s = event.at_s
        restored = event.data.get("reason") == "snapshot-load"
        if event.name != "RESET" or restored or (found and event.at_s - found[-1].at_s < _SAME_RESET_S):
            continue
        by_watchdog = event.at_s - watchdog_s < _SAME_RESET_S
        by = "watchdog" if by_watchdog else "guest" if event.data.get("guest") else "host"
        found.append(Reset(at_s=event.at_s, by=by))
    return tuple(found)
