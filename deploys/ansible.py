"""The roles of `roles/` on the hosts that watch, by ansible-runner: the only module that starts Ansible.

A run has a folder of its own, mode 0700 and gone at its end, because ansible-runner keeps inventory,
environment and events there in clear. What goes in are values: a tree of rendered files, the inventory that
every reader of the site has, role variables. No secret is among them: secrets are files of the watching host.
What comes out are typed results per host and task, made from ansible-runner's events
(https://ansible.readthedocs.io/projects/runner/en/stable/intro/#runner-artifact-job-events-host-and-playbook-events).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from deploys.errors import DeployError
from inventory.ansible import ansible_inventory, known_hosts_text
from inventory.model import Host, Site

ROLES = Path(__file__).resolve().parents[1] / "roles"
RUN_S = 1800  # installs packages from a mirror that may be slow
TASKS_MAX = 5000
MESSAGE_MAX = 500
TARGETS_MAX = 20  # of a task that loops
_SOCKET_PATH_MAX = 107  # bytes of sun_path but for the NUL, unix(7)
_SOCKET_NAME = "/0123456789.0123456789abcdef"  # as Ansible names it, and what ssh adds while it binds
_CONFIG = """\
[defaults]
forks = 10
interpreter_python = /usr/bin/python3
local_tmp = {folder}/tmp
retry_files_enabled = false
roles_path = {roles}
[connection]
pipelining = true
[ssh_connection]
control_path_dir = {folder}/cp
ssh_args = {sharing}
"""


class State(StrEnum):
    """How a task ended on a host."""

    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


_STATES = {
    "runner_on_ok": State.OK,
    "runner_on_skipped": State.SKIPPED,
    "runner_on_failed": State.FAILED,
    "runner_on_unreachable": State.UNREACHABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """One task on one host; `target` is the path or unit that it writes, where the module says it."""

    host: str
    role: str
    task: str
    state: State
    target: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """All tasks of one host, in their order."""

    host: str
    tasks: tuple[TaskResult, ...]

    def of(self, state: State) -> tuple[TaskResult, ...]:
        """Those that ended so."""
        return tuple(one for one in self.tasks if one.state is state)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesRun:
    """What is to be done: ROLES in their order on HOSTS, with FILES below the name of each host.

    `check` is Ansible's check mode: nothing is written, and what would be is told as changed.
    """

    site: Site
    hosts: tuple[Host, ...]
    roles: tuple[str, ...]
    files: Mapping[str, str]
    variables: Mapping[str, object] = field(default_factory=dict)
    starts_units: bool = True
    check: bool = False


def run_roles(wanted: RolesRun) -> tuple[HostResult, ...]:
    """Run the roles and say how each task ended on each host.

    Raises: InventoryError for a host that is not enrolled; DeployError where Ansible itself could not run;
    KeyboardInterrupt after Ctrl-C, when Ansible has ended.
    """
    import ansible_runner

    found: list[TaskResult] = []

    def handler(event: Mapping[str, Any]) -> bool:
        result = result_of(event)
        if result is not None and len(found) < TASKS_MAX:
            found.append(result)
        return True

    with tempfile.TemporaryDirectory(prefix="hft-roles-") as name, _signals_kept():
        folder = Path(name)  # made with mode 0700
        _stage(folder, wanted)
        done = ansible_runner.run(
            private_data_dir=name,
            playbook="site.yml",
            inventory=str(folder / "inventory"),
            **({"cmdline": "--check"} if wanted.check else {}),
            envvars=environment(folder),
            settings={"suppress_ansible_output": True, "job_timeout": RUN_S},
            event_handler=handler,
            quiet=True,
        )
        status, said = str(done.status), _tail(folder)
    if status == "canceled":
        raise KeyboardInterrupt
    results = tuple(
        HostResult(host=one.name, tasks=tuple(task for task in found if task.host == one.name))
        for one in wanted.hosts
    )
    _check_ran(wanted.site.name, status, said, results)
    return results


def _check_ran(site: str, status: str, said: str, results: Sequence[HostResult]) -> None:
    """A run that ended badly without a task that says so, or without any task, is a fault of the run.

    Raises: DeployError.
    """
    bad = any(one.of(State.FAILED) or one.of(State.UNREACHABLE) for one in results)
    if status == "timeout":
        raise DeployError(site, f"the roles took more than {RUN_S} s and were ended")
    if (status != "successful" and not bad) or any(not one.tasks for one in results):
        raise DeployError(site, f"ansible-playbook ended as {status}: {said or 'it said nothing'}")


def result_of(event: Mapping[str, Any]) -> TaskResult | None:
    """The end of a task on a host; None for every other event."""
    state = _STATES.get(str(event.get("event")))
    if state is None:
        return None
    data = event.get("event_data") or {}
    answer = data.get("res") or {}
    if state is State.OK and answer.get("changed"):
        state = State.CHANGED
    return TaskResult(
        host=str(data.get("host")),
        role=str(data.get("role") or ""),
        task=str(data.get("task") or ""),
        state=state,
        target=_target(answer),
        message=_message(answer) if state in (State.FAILED, State.UNREACHABLE) else "",
    )


def _target(answer: Mapping[str, Any]) -> str:
    asked = (answer.get("invocation") or {}).get("module_args") or {}
    places = (
        answer.get("dest"),
        answer.get("path"),
        asked.get("dest"),
        asked.get("path"),
        answer.get("name"),
    )
    found = next((str(one) for one in places if one), "")
    items = answer.get("results")
    if found or not isinstance(items, list):
        return found
    changed = [_target(one) for one in items if isinstance(one, dict) and one.get("changed")]
    return ", ".join(changed[:TARGETS_MAX])


def _message(answer: Mapping[str, Any]) -> str:
    said = answer.get("argument_errors") or answer.get("msg") or "it failed and did not say why"
    words = "; ".join(map(str, said)) if isinstance(said, list) else str(said)
    return " ".join(words.split())[:MESSAGE_MAX]


def _stage(folder: Path, wanted: RolesRun) -> None:
    """The run's folder: play, inventory, host keys, rendered files."""
    for name in ("project", "inventory", "tmp", "cp", "tree"):
        (folder / name).mkdir(mode=0o700)
    for name, text in wanted.files.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    known = folder / "known_hosts"
    known.write_text(known_hosts_text(wanted.site))
    hosts = ansible_inventory(wanted.site.model_copy(update={"hosts": wanted.hosts}), known)
    own = {"hft_tree": str(folder / "tree"), "hft_starts_units": wanted.starts_units}
    hosts["all"]["vars"] = {**own, **wanted.variables}
    (folder / "inventory" / "hosts.json").write_text(json.dumps(hosts))
    play = {"name": "Roles", "hosts": "all", "gather_facts": False, "roles": list(wanted.roles)}
    (folder / "project" / "site.yml").write_text(json.dumps([play]))  # JSON is YAML
    text = _CONFIG.format(folder=folder, roles=ROLES, sharing=sharing(folder / "cp"))
    (folder / "ansible.cfg").write_text(text)


def environment(folder: Path) -> dict[str, str]:
    """What Ansible has in its environment besides ours.

    ansible-runner turns the check of host keys off unless it is told otherwise, and ssh would take any key
    before it reads the strict options of the inventory.
    """
    return {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    }


def sharing(sockets: Path) -> str:
    """ssh(1)'s options: one connection for all tasks of a host, where its socket's name fits (unix(7))."""
    if len(str(sockets)) + len(_SOCKET_NAME) > _SOCKET_PATH_MAX:
        return "-o ControlMaster=no -o ControlPath=none"
    return "-o ControlMaster=auto -o ControlPersist=10s"


def _tail(folder: Path) -> str:
    """The end of what ansible-playbook printed, on one line."""
    texts = [path.read_text(errors="replace") for path in sorted(folder.glob("artifacts/*/std*"))]
    return " ".join(" ".join(texts).split())[-MESSAGE_MAX:]


@contextmanager
def _signals_kept() -> Iterator[None]:
    """ansible-runner takes SIGINT and SIGTERM to end its child, and leaves its handlers; ours come back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(mask)
        for number, handler in kept.items():
            signal.signal(number, handler)
