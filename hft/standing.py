"""Where one host stands: one round trip, a deadline, and a pure reading of the answer.

The remote command is one grep over the host's own record (deploys/record.py). Only when the wanted plan is
asked for does it go on with a capture, under a deadline of its own, so that a slow capture costs the plan's
hash and never the answer to "is it alive". What comes back is data from a machine that may be broken:
anything that does not parse is a host that answered badly, said so, and never an exception.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploys.errors import DeployError, SlowError
from deploys.record import GREP, RECORD_SCRIPT, parse_record
from deploys.ssh import Ssh
from deploys.text import printable
from inventory.model import Host, Site
from tuning.errors import PlanError, ProfileError, SnapshotError
from tuning.profile import Profile
from tuning.snapshot import CAPTURE_SCRIPT, parse_capture

_MARK = "\n=capture=\n"
_WITH_PLAN = f"""\
{GREP}
printf '{_MARK.removeprefix(chr(10)).encode("unicode_escape").decode()}'
timeout "$2" sh -c "$1" capture /
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one host; None is "not known", never "no"."""

    host: str
    reachable: bool
    slow: bool = False
    note: str = ""
    boot_id: str | None = None
    machine_id: str | None = None
    enrolled: bool = True
    managed: bool = False
    entry: str | None = None
    committed: str | None = None
    committed_txn: str | None = None
    wanted: str | None = None
    transaction: Mapping[str, Any] | None = None
    trial: Mapping[str, Any] | None = None
    rollback: Mapping[str, Any] | None = None
    engine_active: bool | None = None

    @property
    def unfinished(self) -> str | None:
        """The open transaction or trial in a few words."""
        if self.trial is not None and self.trial.get("state") in {"armed", "booted", "healthy"}:
            return f"trial {_word(self.trial, 'txn')} {_word(self.trial, 'state')}"
        if self.transaction is not None:
            return f"transaction {_word(self.transaction, 'txn')} {_word(self.transaction, 'phase')}"
        return None

    @property
    def is_half_undone(self) -> bool:
        """A transaction was being undone and is not: the host is neither old nor new."""
        return self.transaction is not None and self.transaction.get("phase") == "undoing"

    @property
    def rolled_back_txn(self) -> str | None:
        """The rolled back transaction, unless a later one was committed (txn ids begin with their time)."""
        txn = _word(self.rollback or {}, "txn")
        return txn if txn and txn > (self.committed_txn or "") else None


def look(site: Site, host: Host, deadline_s: float, *, with_plan: bool = False) -> Standing:
    """Ask one host; a host that does not answer in time is a dark Standing, not an exception."""
    if host.identity is None:
        return Standing(
            host=host.name, reachable=False, enrolled=False, note="not enrolled, so it was not asked"
        )
    profile = site.profile_of(host) if with_plan else None
    argv = ["sh", "-c", RECORD_SCRIPT]
    if profile is not None:
        argv = ["sh", "-c", _WITH_PLAN, "hft", CAPTURE_SCRIPT, f"{deadline_s / 2:.1f}"]
    prefix = [] if host.user == "root" else ["sudo", "-n"]
    try:
        # The deadline is the site's own word: it is not stretched again.
        ssh = dataclasses.replace(Ssh.of(host), connect_timeout_s=math.ceil(deadline_s), patience=1.0)
        answer = ssh.run([*prefix, *argv], timeout_s=deadline_s).stdout
    except SlowError as error:
        return dataclasses.replace(_dark(host, error), slow=True)
    except DeployError as error:
        return _dark(host, error)
    return read_answer(host, answer, profile)


def _dark(host: Host, error: DeployError) -> Standing:
    return Standing(host=host.name, reachable=False, note=str(error).removeprefix(f"{host.name}: "))


def read_answer(host: Host, answer: str, profile: Profile | None) -> Standing:
    """The standing that an answer of the remote command shows; what is no answer of it is a dark host."""
    head, _, capture = answer.partition(_MARK)
    try:
        record = parse_record(host.name, head)
    except DeployError as error:
        return _dark(host, error)
    standing = Standing(
        host=host.name,
        reachable=True,
        boot_id=printable(record.boot_id, limit=64) or None,
        machine_id=printable(record.machine_id, limit=64) or None,
        wanted=_wanted(capture, profile),
    )
    if standing.machine_id != host.machine_id:
        note = f"not the enrolled machine (machine-id {standing.machine_id}, enrolled was {host.machine_id})"
        return dataclasses.replace(standing, note=note, enrolled=False)
    if record.fault:
        return dataclasses.replace(standing, note=record.fault)
    if record.status is None:
        return dataclasses.replace(standing, note="unmanaged: no agent on it yet")
    return _with_agent(standing, record.status)


def _with_agent(standing: Standing, status: Mapping[str, Any]) -> Standing:
    committed = _table(status, "committed") or {}
    return dataclasses.replace(
        standing,
        managed=True,
        entry=_word(status, "entry"),
        committed=_word(committed, "plan_hash"),
        committed_txn=_word(committed, "txn"),
        transaction=_table(status, "open_transaction"),
        trial=_table(status, "trial"),
        rollback=_table(status, "last_rollback"),
        engine_active=status.get("engine_active") is True,
    )


def _table(status: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found = status.get(key)
    return found if isinstance(found, dict) else None


def _word(table: Mapping[str, Any], key: str) -> str | None:
    found = table.get(key)
    return printable(found, limit=200) if isinstance(found, str) else None


def _wanted(capture: str, profile: Profile | None) -> str | None:
    """The hash of the plan this host would get now; None when the capture did not make it in time."""
    if profile is None or not capture:
        return None
    from tuning.planner import plan
    from tuning.reader import read_topology

    try:
        return plan(read_topology(parse_capture(capture)), profile).plan_hash
    except (SnapshotError, PlanError, ProfileError):
        return None
