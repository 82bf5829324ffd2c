"""Documents that cannot go stale: every shell block carries a tag and is run by that tier.

The documents are README, CONTRIBUTING and docs. A fence reads ```sh fast, ```sh lab or ```sh drill. `fast`
blocks run here, without a VM; `lab` blocks run in the VM tier against the shared lab, in the order they
stand; `drill` blocks run with the long campaign. A block without a tag fails. Each block runs under
`bash -euo pipefail` from the root of the checkout, with the environment's programs first on PATH and a state
directory of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIERS = ("fast", "lab", "drill")
FENCE = re.compile(r"^```(?:sh|bash|shell|console)\b[ \t]*(?P<tag>[^\n]*)\n(?P<body>.*?)^```", re.M | re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One shell block of a document."""

    where: str
    tag: str
    body: str


def blocks() -> list[Block]:
    found: list[Block] = []
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text()
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            where = f"{path.relative_to(ROOT)}:{line}"
            found.append(Block(where=where, tag=match["tag"].strip(), body=match["body"]))
    return found


def of_tier(tier: str) -> list[object]:
    chosen = [block for block in blocks() if block.tag == tier]
    return [pytest.param(block, id=block.where) for block in chosen]


def run_block(block: Block, state: Path, timeout_s: float) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HFT_STATE": os.environ.get("HFT_STATE", str(state)),
        "COLUMNS": "120",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.body],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{block.where} exited {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_every_shell_block_carries_a_tier() -> None:
    untagged = [block.where for block in blocks() if block.tag not in TIERS]
    assert not untagged, f"shell blocks without fast, lab or drill: {untagged}"


@pytest.mark.parametrize("block", of_tier("fast"))
def test_fast_block_runs_as_written(block: Block, tmp_path: Path) -> None:
    run_block(block, tmp_path, timeout_s=60)


@pytest.mark.drill
@pytest.mark.parametrize("block", of_tier("drill"))
def test_drill_block_runs_as_written(block: Block, tmp_path: Path) -> None:
    run_block(block, tmp_path, timeout_s=3600)
