"""Where one host stands: one round trip, a deadline, and a pure reading of the answer.

The remote command is one grep over the host's own record (deploys/agent_client/record.py). Only when the
wanted plan is asked for does it go on with a capture, under a deadline of its own, so that a slow capture
costs the plan's hash and never the answer to "is it alive". What comes back is data from a machine that may
be broken: anything that does not parse is a host that answered badly, said so, and never an exception.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from deploys.agent_client.record import GREP, RECORD_SCRIPT, open_trial, parse_record
from inventory.model import Host, Site
from transport.answer import Completed
from transport.errors import CannotRunError, CutError, FloodError, HostError, SlowError
from transport.sanitize import printable
from transport.ssh import Ssh
from tuning.errors import PlanError, ProfileError, SnapshotError
from tuning.plan.profile import Profile
from tuning.snapshot.files import CAPTURE_SCRIPT, parse_capture

_MARK = "\n=capture=\n"
_WORDS = ("txn", "phase", "state", "reason", "brought_back_by", "plan_hash", "at")
SCRIPT_WITH_PLAN = f"""\
{GREP}
printf '{_MARK.removeprefix(chr(10)).encode("unicode_escape").decode()}'
timeout "$1" sh -s -- / <<'=end of the capture='
{CAPTURE_SCRIPT}
=end of the capture=
"""


class Answer(StrEnum):
    """How far a look got."""

    ANSWERED = "answered"
    BUSY = "busy"  # it answered, and a writer holds its lock: an apply, a recovery
    LATE = "late"  # it let us in, and the answer did not come in time
    CONNECTED = "connected"  # it took the connection, and let nobody in in time
    SILENT = "silent"  # nothing came at all in time
    REFUSED = "refused"  # no way in: refused, cut off, another host key, no key of ours
    NO_LOOK = "no_look"  # it let us in, and did not run what we asked for, or not to its end
    NOT_ASKED = "not_asked"


REACHED = frozenset({Answer.ANSWERED, Answer.BUSY})
SLOW = frozenset({Answer.LATE, Answer.CONNECTED, Answer.SILENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one host; None is "not known", never "no"."""

    host: str
    answer: Answer
    note: str = ""
    boot_id: str | None = None
    machine_id: str | None = None
    enrolled: bool = True
    managed: bool = False
    entry: str | None = None
    committed: str | None = None
    committed_txn: str | None = None
    committed_at: str | None = None
    wanted: str | None = None
    transaction: Mapping[str, Any] | None = None
    trial: Mapping[str, Any] | None = None
    rollback: Mapping[str, Any] | None = None
    engine_active: bool | None = None
    busy: str | None = None

    @property
    def reachable(self) -> bool:
        """It answered."""
        return self.answer in REACHED

    @property
    def slow(self) -> bool:
        """It neither answered in time nor refused."""
        return self.answer in SLOW

    @property
    def unfinished(self) -> str | None:
        """The open transaction or trial in a few words."""
        if self.trial is not None and open_trial(self.trial) is not None:
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
        """The rolled back transaction, unless a later one was committed.

        Names are in the host's order since the host refuses one that is not after its last. Where an earlier
        agent took a name from a controller whose clock was ahead, the host's own clock tells.
        """
        rollback = self.rollback or {}
        txn = _word(rollback, "txn")
        if not txn or txn > (self.committed_txn or ""):
            return txn
        back, committed = _moment(rollback.get("at")), _moment(self.committed_at)
        return txn if back and committed and back > committed else None


def look(site: Site, host: Host, deadline_s: float, *, with_plan: bool = False) -> Standing:
    """Ask one host; a host that does not answer in time is a Standing, not an exception.

    The deadline is for the answer; the way in, which a busy host is slow at, has the same time once more.
    """
    if host.identity is None:
        note = "not enrolled, so it was not asked"
        return Standing(host=host.name, answer=Answer.NOT_ASKED, enrolled=False, note=note)
    profile = site.profile_of(host) if with_plan else None
    try:
        # The deadline is the site's own word: it is not stretched again. Ours ends before ssh's own.
        ssh = dataclasses.replace(Ssh.of(host), connect_timeout_s=math.ceil(deadline_s) + 1, patience=1.0)
        if profile is None:
            words = ssh.as_root(["sh", "-c", RECORD_SCRIPT])
            answer = ssh.run(words, timeout_s=deadline_s, login_s=deadline_s)
        else:
            half_s = f"{deadline_s / 2:.1f}"
            answer = ssh.run_script(SCRIPT_WITH_PLAN, half_s, timeout_s=deadline_s, login_s=deadline_s)
    except HostError as error:
        return Standing(host=host.name, answer=answer_of(error), note=error.seen)
    return read_answer(host, answer, profile)


def answer_of(error: HostError) -> Answer:
    """How far a look got that ended with ERROR."""
    match error:
        case SlowError():
            if not error.is_connected:
                return Answer.SILENT
            return Answer.LATE if error.has_begun else Answer.CONNECTED
        case CannotRunError() | CutError() | FloodError():
            return Answer.NO_LOOK
        case _:
            return Answer.REFUSED


def read_answer(host: Host, answer: Completed, profile: Profile | None) -> Standing:
    """The standing that an answer of the remote command shows; what is no answer of it says so."""
    head, _, capture = answer.stdout.partition(_MARK)
    try:
        record = parse_record(host.name, dataclasses.replace(answer, stdout=head))
    except HostError as error:
        return Standing(host=host.name, answer=answer_of(error), note=error.seen)
    standing = Standing(
        host=host.name,
        answer=Answer.ANSWERED,
        boot_id=printable(record.boot_id, limit=64) or None,
        machine_id=printable(record.machine_id, limit=64) or None,
        wanted=_wanted(capture, profile, host),
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
    committed, busy = _table(status, "committed") or {}, _word(status, "busy")
    return dataclasses.replace(
        standing,
        answer=Answer.BUSY if busy else Answer.ANSWERED,
        managed=True,
        entry=_word(status, "entry"),
        committed=_word(committed, "plan_hash"),
        committed_txn=_word(committed, "txn"),
        committed_at=_word(committed, "at"),
        transaction=_table(status, "open_transaction"),
        trial=_table(status, "trial"),
        rollback=_table(status, "last_rollback"),
        engine_active=status.get("engine_active") is True,
        busy=busy,
    )


def _table(status: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """The words of a table that a person may be told; whatever else a host puts there stays there."""
    found = status.get(key)
    if not isinstance(found, dict):
        return None
    known = {name: _word(found, name) for name in _WORDS}
    closed = {"closed": found["closed"] is True} if "closed" in found else {}
    return {name: text for name, text in known.items() if text is not None} | closed


def _word(table: Mapping[str, Any], key: str) -> str | None:
    found = table.get(key)
    return printable(found, limit=200) if isinstance(found, str) else None


def _moment(text: str | None) -> datetime | None:
    """A time that the agent wrote; None for none, and for one that cannot be compared."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _wanted(capture: str, profile: Profile | None, host: Host) -> str | None:
    """The hash of the plan this host would get now; None when the capture did not make it in time."""
    if profile is None or not capture:
        return None
    from tuning.plan.planner import plan
    from tuning.topology.reader import read_topology

    try:
        return plan(read_topology(parse_capture(capture)), profile, host.named_ports).plan_hash
    except (SnapshotError, PlanError, ProfileError):
        return None
