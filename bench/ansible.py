"""ansible-core: one playbook of built-in modules, one task for each setting, all that makes it fast on.

Pipelining, a persistent SSH connection that stays warm between runs, no fact gathering, no interpreter
discovery. `copy` for whole files, `file` for masked units, `lineinfile` for live values: it is the built-in
module that compares and writes one line in place with a single round trip (ansible.posix.sysctl is not part
of ansible-core and costs as much).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.knobs import Knob
from bench.target import NAME, Target
from bench.tool import Ran, failed, run

_PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))
_CONFIG = """\
[defaults]
inventory = {folder}/hosts.json
gathering = explicit
host_key_checking = True
retry_files_enabled = False
nocows = True
home = {folder}/home
local_tmp = {folder}/tmp
[ssh_connection]
pipelining = True
control_path_dir = {folder}/cp
ssh_args = -F none -o ControlMaster=auto -o ControlPersist=120s -o UserKnownHostsFile={known_hosts}
"""


class Ansible:
    """ansible-playbook against its own target."""

    name = "ansible-core"
    command = "ansible-playbook site.yml"

    def __init__(self, target: Target, knobs: Sequence[Knob]) -> None:
        self.target = target
        self.version = version("ansible-core")
        self._folder = target.folder / "ansible"
        self._folder.mkdir()
        config = _CONFIG.format(folder=self._folder, known_hosts=target.known_hosts)
        (self._folder / "ansible.cfg").write_text(config)
        (self._folder / "hosts.json").write_text(json.dumps(_inventory(target)))
        play = [{"hosts": "all", "gather_facts": False, "tasks": [_task(knob) for knob in knobs]}]
        (self._folder / "site.yml").write_text(json.dumps(play, indent=1))  # JSON is YAML

    def apply(self) -> tuple[Ran, int]:
        """One `ansible-playbook`."""
        ran = self._run()
        return ran, len(changed_tasks(ran.stdout))

    def pending(self) -> list[str]:
        """One `ansible-playbook --check`."""
        return changed_tasks(self._run("--check").stdout)

    def _run(self, *mode: str) -> Ran:
        env = {"ANSIBLE_CONFIG": str(self._folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        ran = run([_PROGRAM, *mode, "site.yml"], target=self.target, folder=self._folder, env=env)
        if ran.exit_code != 0:
            raise failed(self.name, ran)
        return ran


def _inventory(target: Target) -> dict[str, object]:
    host = {
        "ansible_host": target.address,
        "ansible_port": target.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(target.key),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {"all": {"hosts": {NAME: host}}}


def _task(knob: Knob) -> dict[str, object]:
    module: dict[str, object]
    match knob.kind:
        case "sysctl" | "value":
            options = {"path": knob.path, "regexp": "^", "line": knob.wanted, "unsafe_writes": True}
            module = {"ansible.builtin.lineinfile": options}
        case "file":
            module = {"ansible.builtin.copy": {"dest": knob.path, "content": knob.wanted, "mode": "0644"}}
        case "link":
            module = {
                "ansible.builtin.file": {
                    "path": knob.path,
                    "src": knob.wanted,
                    "state": "link",
                    "force": True,
                }
            }
    return {"name": knob.name, **module}


def changed_tasks(output: str) -> list[str]:
    """Names of the tasks that changed, or in check mode would change, something."""
    task, found = "", []
    for line in output.splitlines():
        heading = re.match(r"TASK \[(.*)\] \*", line)
        if heading:
            task = heading[1]
        elif line.startswith("changed: ["):
            found.append(task)
    return found
