"""What one look at a host shows: the snapshot the planner reads, and which parts of the stand-in are there.

One script, one round trip, no agent needed: the capture (tuning/snapshot/capture.py), then a short tail of
our own behind a mark. It begins with the capture's head, so whatever a login printed before is skipped, and
both halves end with an end mark, so an answer that was cut anywhere is refused. The same script and the same
parser serve the fast path over OpenSSH and the pyinfra fact.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.paths import NOT_TEXT, STATE_FILE
from agent.record import last_name
from deploys.agent_client.record import open_trial, state_of
from deploys.errors import DeployError
from deploys.paths import PLAN_FILE, STANDIN_PROGRAM
from transport.answer import Completed
from transport.hint import command
from tuning import grammar
from tuning.errors import SnapshotError
from tuning.snapshot.capture import CAPTURE_SCRIPT
from tuning.snapshot.files import Snapshot, parse_capture
from tuning.strict_json import ShapeError, Table, parse

_HEAD = "hft-capture 1\0"
_MARK = "\nhft-engine 1\n"
_END = "end\n"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TAIL = f"""cd / || exit 2
printf '\\nhft-engine 1\\n'
for procs in sys/fs/cgroup/hft.slice/hft-engine.slice/*/cgroup.procs; do
  pid=; [ -r "$procs" ] && read -r pid <"$procs"
  unit=${{procs%/cgroup.procs}}
  [ "$pid" ] && printf 'active %s\\n' "${{unit##*/}}"
done
for last in var/lib/hft/journal/[0-9]*; do :; done
phase=$([ -f "$last/progress" ] && tr -d '\\000' 2>/dev/null <"$last/progress" |
  sed -n 's/^{{"phase": "\\([a-z]*\\)".*}}$/\\1/p' | tail -n 1)
printf 'last %s %s\\n' "${{last##*/}}" "$phase"
[ -f .{STANDIN_PROGRAM} ] && [ -r .{STANDIN_PROGRAM} ] && sha256sum .{STANDIN_PROGRAM}
printf 'end\\n'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """One look at one host."""

    snapshot: Snapshot
    engine_units: frozenset[str]
    standin_digest: str | None
    journal: str = ""  # the last one there
    phase: str = ""  # how far that one got

    def text(self, path: str) -> str | None:
        """The text of a captured file, None when it is absent or was not captured."""
        return self.snapshot.files.get(path)

    def digest(self, path: str) -> str | None:
        """SHA-256 of a captured file, "absent" when the host says so, None when it is not known."""
        if path == STANDIN_PROGRAM:
            return self.standin_digest or "absent"
        if path not in self.snapshot.files:
            return None
        text = self.snapshot.files[path]
        if text is None:
            return "absent"
        return None if "\ufffd" in text else hashlib.sha256(text.encode()).hexdigest()

    def before(self, path: str) -> str:
        """What a step says it saw at PATH: a digest, "absent", or that it is no text to be digested."""
        text = self.text(path)
        return NOT_TEXT if text is not None and "\ufffd" in text else self.digest(path) or "absent"

    @property
    def machine_id(self) -> str:
        """The machine's own identity."""
        return (self.text("/etc/machine-id") or "").strip()

    @property
    def boot_id(self) -> str:
        """Changes with every boot."""
        return (self.text("/proc/sys/kernel/random/boot_id") or "").strip()

    @property
    def agent_version(self) -> str | None:
        """The version of the installed agent, None when there is none."""
        return (self.text("/usr/local/lib/hft/agent.version") or "").strip() or None

    @property
    def state(self) -> Mapping[str, Any]:
        """The agent's state.json; empty when the host was never touched."""
        try:
            return state_of(self.text(STATE_FILE) or "")
        except ShapeError:
            return {}

    @property
    def last_txn(self) -> str:
        """The greatest name of a transaction there, "" for none: the next one is named after it."""
        return last_name([self.journal], self.state)

    @property
    def engine_active(self) -> bool:
        """Whether anything runs in the engine slice."""
        return bool(self.engine_units)

    @property
    def half_undone(self) -> str | None:
        """The transaction that was being undone when it was looked at, None without one."""
        return self.journal if self.phase == "undoing" else None

    @property
    def open_trial(self) -> str | None:
        """The transaction of a trial that is neither committed nor rolled back, None without one."""
        return open_trial(self.state.get("trial"))

    @property
    def staged_plan(self) -> str | None:
        """The hash of the plan whose boot change is staged and waits for its reboot, None without one."""
        trial = self.state.get("trial")
        if not isinstance(trial, dict) or trial.get("state") != "staged":
            return None
        try:
            return Table.of(parse(self.text(PLAN_FILE) or "{}")).text_or_none("plan_hash", size_max=64)
        except ShapeError:
            return None


OBSERVE_SCRIPT = f"{CAPTURE_SCRIPT}\n{_TAIL}"  # its one argument is the root directory


def observe_command() -> str:
    """The script as a remote command line, for pyinfra."""
    return shlex.join(["sh", "-c", OBSERVE_SCRIPT, "hft-observe", "/"])


def parse_observed(host: str, answer: Completed) -> HostState:
    """Read the answer of OBSERVE_SCRIPT.

    CannotRunError where it did not run, CutError where it did not end, DeployError where it is damaged.
    """
    _, head, body = answer.stdout.partition(_HEAD)
    if not head:
        raise answer.not_run(host)
    capture, mark, tail = (head + body).rpartition(_MARK)
    tail = tail if tail.endswith("\n") else tail + "\n"
    if not mark or not tail.endswith(_END):
        raise answer.cut(host)
    units, digest, journal, phase = set(), None, "", ""
    for line in tail.removesuffix(_END).splitlines():
        word, _, rest = line.partition(" ")
        if word == "last":
            journal, _, phase = rest.partition(" ")
        elif word != "active":
            digest = word
        elif grammar.RUNNING_UNIT.fullmatch(rest):  # it becomes a word of systemctl's command line
            units.add(rest)
        else:
            raise DeployError(
                host,
                "what runs in its engine slice has no name of a unit",
                hint=f"run: {command('snapshot', host)}",
            )
    if digest is not None and not _SHA256.fullmatch(digest):
        raise DeployError(
            host, "what it sent is not a whole capture", hint=f"run: {command('snapshot', host)}"
        )
    try:
        snapshot = parse_capture(capture)
        state_of(snapshot.files.get(STATE_FILE) or "")
    except SnapshotError as error:
        raise DeployError(host, f"{error}") from error
    except ShapeError as error:
        raise DeployError(host, f"{STATE_FILE}: {error}", hint=f"run: {command('recover', host)}") from error
    return HostState(
        snapshot=snapshot,
        engine_units=frozenset(units),
        standin_digest=digest,
        journal=journal,
        phase=phase,
    )
