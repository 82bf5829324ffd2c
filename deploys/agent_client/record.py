"""A host's own record, fetched for next to nothing: the files that `agent status` reads, by one grep.

A Python start costs a target 140 ms of CPU, and an emulated one tens of times that; one grep costs it 3. The
answer is every line behind the path it comes from, so no file can speak for another, and it ends with the
line it began with, so what was cut anywhere is refused. It needs no agent: a host without one shows its boot
id and machine id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.paths import ENGINE_CGROUP, HFT_CFG, JOURNAL_DIR, LOCK_FILE, STATE_FILE
from agent.record import OPEN_TRIAL, Record, phase_of, status_of
from deploys.paths import LIB_DIR
from transport.answer import Completed
from tuning import grammar
from tuning.strict_json import Table, parse

BOOT_ID, MACHINE_ID = "/proc/sys/kernel/random/boot_id", "/etc/machine-id"
VERSION, CMDLINE = f"{LIB_DIR}/agent.version", "/proc/cmdline"
_EVENTS = f"{ENGINE_CGROUP}/cgroup.events"
_FILES = (MACHINE_ID, CMDLINE, VERSION, STATE_FILE, LOCK_FILE, HFT_CFG, _EVENTS)
_ASKED = (BOOT_ID, *_FILES, f"{JOURNAL_DIR}/[0-9A-Za-z]*/progress", BOOT_ID)
GREP = f"grep -asH -d skip -D skip -e '' -- {' '.join(_ASKED)}"
RECORD_SCRIPT = f"exec {GREP}"  # the whole look is one process
NAMELESS = "unnamed"
STATE_MAX = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecord:
    """What a host says of itself; `status` is None without an agent, `fault` says why it cannot be read."""

    boot_id: str
    machine_id: str
    status: dict[str, Any] | None = None
    fault: str = ""


def open_trial(trial: object) -> str | None:
    """The transaction of a trial (state.json, `trial`) that is neither committed nor rolled back.

    One whose name is no transaction's is open all the same, and nobody can ask for it by that name.
    """
    state = trial.get("state") if isinstance(trial, dict) else None
    if not isinstance(trial, dict) or not isinstance(state, str) or state not in OPEN_TRIAL:
        return None
    txn = trial.get("txn")
    return txn if isinstance(txn, str) and grammar.TRANSACTION.fullmatch(txn) else NAMELESS


def parse_record(host: str, answer: Completed) -> HostRecord:
    """Read the answer of RECORD_SCRIPT; CannotRunError where it did not run, CutError where it did not end.

    What a login printed before it is skipped. Its exit code decides nothing: grep ends with 2 when one of the
    files is not there.
    """
    found: dict[str, list[str]] = {}
    lines = answer.stdout.removesuffix("\n").split("\n")
    first = next((at for at, line in enumerate(lines) if line.startswith(f"{BOOT_ID}:")), len(lines))
    for line in lines[first:]:
        path, _, text = line.partition(":")
        found.setdefault(path, []).append(text)
    ids = found.get(BOOT_ID, [])
    if not ids:
        raise answer.not_run(host)
    if len(ids) != 2 or ids[0] != ids[1] or lines[-1] != f"{BOOT_ID}:{ids[1]}":
        raise answer.cut(host)
    boot_id, machine_id = ids[0].strip(), _text(found, MACHINE_ID).strip()
    if VERSION not in found:
        return HostRecord(boot_id=boot_id, machine_id=machine_id)
    if fault := _lost_state(found):
        return HostRecord(boot_id=boot_id, machine_id=machine_id, fault=fault)
    try:
        status = status_of(_record(found, boot_id, machine_id))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        fault = f"its record cannot be read ({type(error).__name__})"
        return HostRecord(boot_id=boot_id, machine_id=machine_id, fault=fault)
    return HostRecord(boot_id=boot_id, machine_id=machine_id, status=status)


def _lost_state(found: Mapping[str, Sequence[str]]) -> str:
    """Where a transaction was finished and no state came; grep passes over what is no plain file."""
    if STATE_FILE in found:
        return ""
    ended = [path for path, lines in found.items() if _is_progress(path) and _wrote_state(lines)]
    if not ended:
        return ""
    txn = max(ended).removeprefix(f"{JOURNAL_DIR}/").removesuffix("/progress")
    return f"{STATE_FILE} is missing, empty or no plain file, although {txn} wrote it"


def _is_progress(path: str) -> bool:
    return path.startswith(f"{JOURNAL_DIR}/") and path.endswith("/progress")


def _wrote_state(lines: Sequence[str]) -> bool:
    """Whether a transaction ended with a commit or its trial: both stand in the state."""
    return phase_of("\n".join(lines)) in {"done", "staged", "committed"}


def state_of(text: str) -> dict[str, Any]:
    """The agent's state.json; empty when the host was never touched, ShapeError when it is none."""
    if not text.strip():
        return {}
    found = parse(text, size_max=STATE_MAX)
    return dict(Table.of(found, STATE_FILE).fields)


def _record(found: dict[str, list[str]], boot_id: str, machine_id: str) -> Record:
    state = state_of(_text(found, STATE_FILE))
    head, tail = f"{JOURNAL_DIR}/", "/progress"
    journals = {
        path.removeprefix(head).removesuffix(tail): _text(found, path) for path in found if _is_progress(path)
    }
    return Record(
        version=_text(found, VERSION).strip(),
        machine_id=machine_id,
        boot_id=boot_id,
        cmdline=_text(found, CMDLINE),
        state=state,
        menu=_text(found, HFT_CFG) if HFT_CFG in found else None,
        journals=tuple(sorted(journals.items())),
        engine_events=_text(found, _EVENTS),
        lock=_text(found, LOCK_FILE),
    )


def _text(found: dict[str, list[str]], path: str) -> str:
    return "\n".join(found.get(path, []))
