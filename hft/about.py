"""What this program is: release, commit, agent, and the schemas that it reads and writes."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
GIT_S = 5.0


def lines() -> list[str]:
    """`hft, version 0.1.0`, and a line for everything that has a version of its own."""
    from checks.document import SCHEMA as CHECK
    from deploys.agent_client.call import agent_version
    from deploys.tune.document import SCHEMA as DOCUMENT
    from hft.saved_plans import SCHEMA as SAVED
    from tuning.plan.plan import SCHEMA as PLAN
    from tuning.snapshot.files import SCHEMA as SNAPSHOT

    schemas = {
        "snapshot": SNAPSHOT,
        "plan": PLAN,
        "saved plans": SAVED,
        "transaction": DOCUMENT,
        "check": CHECK,
    }
    return [
        f"hft, version {version('hft-infra')}",
        f"commit: {commit()}",
        f"agent: {agent_version()}",
        f"schemas: {', '.join(f'{name} {number}' for name, number in schemas.items())}",
        f"from: {HERE.parent}",
    ]


def commit() -> str:
    """The commit of a checkout, `-dirty` where files differ; else what the wheel says it was built from."""
    if (HERE.parent / ".git").exists():
        argv = [
            "git",
            "-C",
            str(HERE.parent),
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=GIT_S)
        except (OSError, subprocess.SubprocessError):
            return "not known: git does not say"
        return done.stdout.strip()
    try:
        return str(json.loads((HERE / "built.json").read_text(encoding="utf-8"))["commit"])
    except (OSError, ValueError, KeyError):
        return "not known: built without git"
