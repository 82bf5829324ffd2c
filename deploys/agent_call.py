"""Talking to the agent on a host: how it is called, installed, and what its one answer means.

Two transports carry the same call: pyinfra's open connection inside an operation, and a connection of its own
for everything around a reboot. The answer is one JSON document; what is not one is a failure with the host's
last line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from agent.build import Bootstrap, bootstrap_script
from deploys.errors import BusyError, DeployError, HalfUndoneError, RefusedError, RolledBackError
from deploys.paths import AGENT, PYTHON
from deploys.ssh import Ssh
from deploys.text import printable

SCHEMA = 1
INSTALL_TIMEOUT_S = 120.0
GOOD = frozenset({"applied", "staged", "no_change"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one call of a remote program printed."""

    stdout: str
    stderr: str


class Call(Protocol):
    """Run one command on a host as root."""

    def __call__(self, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Answer: ...


def over_ssh(ssh: Ssh) -> Call:
    """Each call on a connection of its own."""

    def call(argv: Sequence[str], stdin: bytes, timeout_s: float) -> Answer:
        prefix = [] if ssh.user == "root" else ["sudo", "-n"]
        done = ssh.run([*prefix, *argv], stdin=stdin, timeout_s=timeout_s)
        return Answer(stdout=done.stdout, stderr=done.stderr)

    return call


def agent_argv(*words: str) -> list[str]:
    """The agent's command line; isolated Python, so nothing of the host's environment is imported."""
    return [PYTHON, "-I", "-S", AGENT, *words]


def read_outcome(host: str, answer: Answer) -> Mapping[str, Any]:
    """The outcome of a transaction; raises what it means when it did not end well."""
    outcome = read_json(host, answer)
    result, code, message = (str(outcome.get(key, "")) for key in ("result", "code", "message"))
    sentence = f"{host}: {printable(message)}"
    if result in GOOD:
        return outcome
    if code == "busy":
        raise BusyError(sentence)
    if result == "half_undone" or code == "recovery_failed":
        raise HalfUndoneError(f"{sentence}; the host is neither old nor new; run: hft recover {host}")
    if result == "refused":
        raise RefusedError(sentence)
    if result == "reverted":
        raise RolledBackError(f"{sentence} (the host is as it was before)")
    raise DeployError(f"{host}: the agent answered {printable(result)!r}, which is no result")


def read_json(host: str, answer: Answer) -> Mapping[str, Any]:
    """The one JSON document of an answer."""
    lines = [line for line in answer.stdout.splitlines() if line.strip()]
    try:
        found = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        said = [line for line in (*answer.stderr.splitlines(), *lines) if line.strip()]
        raise DeployError(
            f"{host}: the agent gave no answer ({printable(said[-1]) if said else 'it said nothing'})"
        )
    return found


def install_if_needed(host: str, call: Call, seen_version: str | None) -> bool:
    """Install this tree's agent where another or none is; one round trip, old or new at any moment."""
    wanted = _bootstrap()
    if seen_version == wanted.version:
        return False
    answer = read_json(host, call(wanted.argv, wanted.stdin, INSTALL_TIMEOUT_S))
    if answer.get("result") == "installed":
        return True
    sentence = (
        f"{host}: the agent could not be installed: {printable(str(answer.get('message', 'no reason')))}"
    )
    raise BusyError(sentence) if answer.get("code") == "busy" else RefusedError(sentence)


@cache
def _bootstrap() -> Bootstrap:
    return bootstrap_script()
