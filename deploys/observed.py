"""What one look at a host shows: the snapshot the planner reads, and which parts of the stand-in are there.

One script, one round trip, no agent needed: the capture (tuning/capture.py), then a short tail of our own
behind a mark. Both halves end with an end mark, so an answer that was cut anywhere is refused. The same
script and the same parser serve the fast path over OpenSSH and the pyinfra fact.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploys.errors import DeployError
from deploys.paths import PLAN_FILE, STANDIN_PROGRAM
from deploys.ssh import Ssh
from tuning.capture import CAPTURE_SCRIPT
from tuning.errors import SnapshotError
from tuning.snapshot import Snapshot, parse_capture

OBSERVE_TIMEOUT_S = 60.0
OPEN_TRIAL_STATES = ("staged", "armed", "booted", "healthy")
_MARK = "\nhft-engine 1\n"
_END = "end\n"
_TAIL = f"""cd / || exit 2
printf '\\nhft-engine 1\\n'
for procs in sys/fs/cgroup/hft.slice/hft-engine.slice/*/cgroup.procs; do
  pid=; [ -r "$procs" ] && read -r pid <"$procs"
  unit=${{procs%/cgroup.procs}}
  [ "$pid" ] && printf 'active %s\\n' "${{unit##*/}}"
done
[ -r .{STANDIN_PROGRAM} ] && sha256sum .{STANDIN_PROGRAM}
printf 'end\\n'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One look at one host."""

    snapshot: Snapshot
    engine_units: frozenset[str]
    standin_digest: str | None

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
            found = json.loads(self.text("/var/lib/hft/state.json") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def engine_active(self) -> bool:
        """Whether anything runs in the engine slice."""
        return bool(self.engine_units)

    @property
    def open_trial(self) -> str | None:
        """The transaction of a trial that is neither committed nor rolled back, None without one."""
        trial = self.state.get("trial")
        if not isinstance(trial, dict) or trial.get("state") not in OPEN_TRIAL_STATES:
            return None
        return str(trial.get("txn"))

    @property
    def staged_plan(self) -> str | None:
        """The hash of the plan whose boot change is staged and waits for its reboot, None without one."""
        trial = self.state.get("trial")
        if not isinstance(trial, dict) or trial.get("state") != "staged":
            return None
        try:
            found = json.loads(self.text(PLAN_FILE) or "{}")
        except ValueError:
            return None
        return found.get("plan_hash") if isinstance(found, dict) else None


def observe_command() -> str:
    """The remote command line whose output `parse_observed` reads."""
    words = [["sh", "-c", script, "hft-observe", "/"] for script in (CAPTURE_SCRIPT, _TAIL)]
    return " && ".join(shlex.join(each) for each in words)


def parse_observed(host: str, output: str) -> Observed:
    """Read the output of `observe_command`; refuses what was cut or does not come from it."""
    capture, mark, tail = output.rpartition(_MARK)
    tail = tail if tail.endswith("\n") else tail + "\n"
    if not mark or not tail.endswith(_END):
        raise DeployError(f"{host}: what it sent is not a whole capture; run: hft snapshot {host}")
    units, digest = set(), None
    for line in tail.removesuffix(_END).splitlines():
        word, _, rest = line.partition(" ")
        if word == "active":
            units.add(rest)
        else:
            digest = word
    try:
        snapshot = parse_capture(capture)
    except SnapshotError as error:
        raise DeployError(f"{host}: {error}") from error
    return Observed(snapshot=snapshot, engine_units=frozenset(units), standin_digest=digest)


def observe(ssh: Ssh) -> Observed:
    """Look at a host over OpenSSH: one connection, one command."""
    command = observe_command()
    prefix = [] if ssh.user == "root" else ["sudo", "-n"]
    done = ssh.run([*prefix, "sh", "-c", command], timeout_s=OBSERVE_TIMEOUT_S)
    return parse_observed(ssh.name, done.stdout)
