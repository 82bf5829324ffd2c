"""Pulumi's own engine over a project, with the stand-ins on its PATH and a state of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacks.aws_standin.provider import type_of
from tests.support.checkout import ROOT

POLICY = ROOT / "stacks" / "policy"
_PLACES = (
    Path(sys.executable).parent,
    ROOT / "stacks" / "language" / "bin",
    ROOT / "stacks" / "aws_standin" / "bin",
    ROOT / ".setup" / "stacks" / "bin",
)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One project with one stack, `test`; FOLDER has home, state and the world of the stand-in."""

    project: Path
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def world(self) -> Path:
        """Where the stand-in keeps its objects."""
        return self.folder / "world"

    def environment(self) -> dict[str, str]:
        """What the engine is started with."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        self.world.mkdir(exist_ok=True)
        return {
            **os.environ,
            "PATH": ":".join([*map(str, _PLACES), os.environ["PATH"]]),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "of the test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log, as the Automation API sets it
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "HFT_PYTHON": sys.executable,
            "HFT_AWS_STANDIN": str(self.world),
            **self.more,
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of the CLI; however it ends."""
        argv = ["pulumi", "--non-interactive", "--cwd", str(self.project), *words]
        env = self.environment()
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)

    def begin(self) -> None:
        """Make the stack."""
        done = self.run("stack", "init", "test")
        assert done.returncode == 0, done.stderr

    def preview(self, config: Mapping[str, str]) -> dict[str, Any]:
        """What `pulumi preview --json` says under this configuration and the policy pack."""
        done = self.run("preview", *self._stack(config), "--json", "--policy-pack", str(POLICY))
        assert done.returncode == 0, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def up(self, config: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        """`pulumi up` without a question, under the policy pack."""
        stack = self._stack(config)
        return self.run("up", *stack, "--yes", "--skip-preview", "--policy-pack", str(POLICY), *words)

    def judged(self) -> tuple[int, set[tuple[str, str, str]]]:
        """Exit code of a preview, and what policies said: resource, policy, enforcement."""
        log = self.folder / "events.jsonl"
        words = ("--policy-pack", str(POLICY), "--event-log", str(log))
        done = self.run("preview", *self._stack({}), *words)
        events = [json.loads(line) for line in log.read_text().splitlines()]
        said = {
            (event["resourceUrn"].rpartition("::")[2], event["policyName"], event["enforcementLevel"])
            for event in (one["policyEvent"] for one in events if one.get("policyEvent"))
        }
        return done.returncode, said

    def _stack(self, config: Mapping[str, str]) -> tuple[str, ...]:
        path = self.folder / "Pulumi.test.yaml"
        lines = ["config:", *(f"  {key}: {json.dumps(value)}" for key, value in config.items())]
        path.write_text("\n".join(lines if config else ["config: {}"]) + "\n")
        return ("--stack", "test", "--config-file", str(path))


def rows_of(preview: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of a preview in the form of a recording (tests/support/stacks/recorded_program.py)."""
    states = [step["newState"] for step in preview["steps"] if "::pulumi:" not in step["urn"]]
    return sorted((_row(state) for state in states), key=lambda one: (one["type"], one["name"]))


def _row(state: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        "type": type_of(state["urn"]),
        "name": _name(state["urn"]),
        "parent": _name(state.get("parent", "")),
        "inputs": state.get("inputs", {}),
        "protect": state.get("protect", False),
        "retainOnDelete": state.get("retainOnDelete", False),
        "createTimeout": f"{state.get('customTimeouts', {}).get('create', 0) // 60}m",
        "dependencies": sorted({_name(urn) for urn in state.get("dependencies") or []}),
    }
    return {key: value for key, value in fields.items() if value and value != "0m"}


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
