"""Talking to the agent on a host: how it is called, installed, and what its one answer means.

Two transports carry the same call: pyinfra's open connection inside an operation, and a connection of its own
for everything around a reboot. The answer is one JSON document; what is not one is a failure with the host's
last line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from agent.install.build import Bootstrap, bootstrap_script, in_memory, sources, version_of
from deploys.errors import BusyError, DeployError, HalfUndoneError, RefusedError, RolledBackError
from deploys.paths import AGENT, PYTHON
from transport.answer import Completed
from transport.hint import command
from transport.sanitize import printable
from transport.ssh import Ssh
from tuning import grammar
from tuning.strict_json import ShapeError, Table, parse

SCHEMA = 1
INSTALL_TIMEOUT_S, PREFLIGHT_TIMEOUT_S = 120.0, 60.0
GoodResult = Literal["applied", "staged", "no_change"]
GOOD: Mapping[str, GoodResult] = {"applied": "applied", "staged": "staged", "no_change": "no_change"}


class Call(Protocol):
    """Run one command on a host as root."""

    def __call__(self, argv: Sequence[str], stdin: bytes, timeout_s: float) -> Completed: ...


@cache
def agent_version() -> str:
    """The version of the agent that this tree installs on a host: release and digest of its content."""
    return version_of(list(sources()))


def over_ssh(ssh: Ssh) -> Call:
    """Each call on a connection of its own."""

    def call(argv: Sequence[str], stdin: bytes, timeout_s: float) -> Completed:
        return ssh.run(ssh.as_root(argv), stdin=stdin, timeout_s=timeout_s)

    return call


def agent_argv(*words: str) -> list[str]:
    """The agent's command line; isolated Python, so nothing of the host's environment is imported."""
    return [PYTHON, "-I", "-S", AGENT, *words]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOutcome:
    """How a transaction ended well: safe to show; `ticket_key` is of a host that made one."""

    result: GoodResult
    message: str
    txn: str | None = None
    ticket_key: str | None = None


def read_outcome(host: str, answer: Completed) -> AgentOutcome:
    """The outcome of a transaction; raises what it means when it did not end well."""
    found = read_json(host, answer)
    try:
        result, code = found.text("result", size_max=64), found.text_or_none("code", size_max=64)
        seen = printable(found.text_or_none("message") or "")
        # There is no name where there was nothing to do.
        txn, key = found.text_or_none("txn", size_max=64) or None, found.text_or_none("ticket_key")
        if result in GOOD and txn is not None and not grammar.TRANSACTION.fullmatch(txn):
            raise ShapeError("txn: not the name of a transaction")
    except ShapeError as error:
        raise DeployError(
            host,
            f"the agent's answer cannot be read: {error}",
            hint=f"what it did: {command('status', host)}",
        ) from error
    if (good := GOOD.get(result)) is not None:
        return AgentOutcome(result=good, message=seen, txn=txn, ticket_key=printable(key) if key else None)
    if code == "busy":
        raise BusyError(host, seen)
    if result == "half_undone" or code == "recovery_failed":
        neither = f"{seen} (the host is neither old nor new)"
        raise HalfUndoneError(host, neither, hint=f"run: {command('recover', host)}")
    if result == "refused":
        raise RefusedError(host, seen)
    if result == "reverted":
        raise RolledBackError(host, seen)
    raise DeployError(host, f"the agent returned the unknown result {printable(result)!r}")


def read_json(host: str, answer: Completed) -> Table:
    """The one JSON document of an answer."""
    lines = [line for line in answer.stdout.splitlines() if line.strip()]
    try:
        found = Table.of(parse(lines[-1] if lines else ""))
        if found.integer("schema") == SCHEMA:
            return found
    except ShapeError:
        pass
    said = [line for line in (*answer.stderr.splitlines(), *lines) if line.strip()]
    raise DeployError(
        host,
        f"the agent gave no answer ({printable(said[-1]) if said else 'it said nothing'})",
        hint=f"what it did: {command('status', host)}",
    )


def reason_of(found: Table, otherwise: str) -> str:
    """The message of an answer that is no success, fit to be shown."""
    try:
        return printable(found.text("message"))
    except ShapeError:
        return otherwise


def install_if_needed(host: str, call: Call, seen_version: str | None) -> bool:
    """Install this tree's agent where another or none is; one round trip, old or new at any moment."""
    wanted = _bootstrap()
    if seen_version == wanted.version:
        return False
    answer = read_json(host, call(wanted.argv, wanted.stdin, INSTALL_TIMEOUT_S))
    if answer.fields.get("result") == "installed":
        return True
    seen = f"the agent could not be installed: {reason_of(answer, 'no reason')}"
    code = answer.fields.get("code")
    if code == "busy":
        raise BusyError(host, seen)
    if code == "older":
        first = command("remove", host, "--agent-only")
        way = f"use the release of hft that put it there, or first run: {first}"
        raise RefusedError(host, seen, hint=way)
    raise RefusedError(host, seen)


def refusals_of(host: str, call: Call, seen_version: str | None, document: bytes) -> tuple[str, ...]:
    """Everything for which this tree's agent would refuse the document there; nothing is written."""
    wanted = _in_memory()
    if seen_version == wanted.version:
        answer = call(agent_argv("preflight"), document, PREFLIGHT_TIMEOUT_S)
    else:
        answer = call(wanted.argv, wanted.stdin + document, PREFLIGHT_TIMEOUT_S)
    try:
        found = read_json(host, answer).rows("refusals")
        return tuple(printable(one.text("message")) for one in found)
    except ShapeError as error:
        raise DeployError(host, f"the agent's answer cannot be read: {error}") from error


@cache
def _in_memory() -> Bootstrap:
    return in_memory("preflight")


@cache
def _bootstrap() -> Bootstrap:
    return bootstrap_script()
