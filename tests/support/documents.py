"""Documents that cannot go stale: every shell block carries a tag and is run by that tier.

The documents are README, CONTRIBUTING and docs. What a reader copies holds commands only; an HTML comment on
the line above the fence says how it is run:

    <!-- test: lab; may exit 3 6 -->

`fast` blocks run in tests/integration, without a VM; `lab` blocks run in the VM tier against the shared
lab, in the order of the page; `drill` blocks run with the long campaign; `rack` blocks run in a folder of
their own against three made hosts (tests/integration/hft/test_tutorial.py). Each other block runs under
`bash -u -o pipefail` from the root of the checkout with its own state directory. It ends at the first command
that exits with a code other than 0 and the listed ones. A shell block without such a comment fails. A comment
that is closed only after the fence hides a block from the reader; it is run all the same.

A block runs as in a shell that was just opened: our programs are found only where the page has said before
how (ACTIVATE), as a reader would have to do it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

TIERS = ("fast", "lab", "drill", "rack")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
ACTIVATE = ". .venv/bin/activate"
FENCE = re.compile(
    r"^(?:<!-- test: (?P<tag>\w+)(?:; may exit (?P<exits>\d+(?: \d+)*))?(?: -->)?\n)?"
    r"```(?:sh|bash|shell|console)\b(?P<rest>[^\n]*)\n(?P<body>.*?)^```",
    re.M | re.S,
)
OURS = str(Path(sys.executable).parent)
ENDS_AT_THE_FIRST_FAULT = """\
set -E
trap 'code=$?; case " %s " in *" $code "*) ;; *) exit "$code" ;; esac' ERR
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One shell block of a document."""

    where: str
    tag: str
    body: str
    exits: str = ""
    activates: bool = True  # the page says before it how our programs are found


def blocks() -> list[Block]:
    found: list[Block] = []
    for path in PAGES:
        text = path.read_text()
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start("body"))
            where = f"{path.relative_to(ROOT)}:{line}"
            tag = "" if match["rest"].strip() else match["tag"] or ""
            exits, activates = match["exits"] or "", ACTIVATE in text[: match.start()]
            found.append(Block(where=where, tag=tag, body=match["body"], exits=exits, activates=activates))
    return found


def of_tier(tier: str) -> list[object]:
    chosen = [block for block in blocks() if block.tag == tier]
    return [pytest.param(block, id=block.where) for block in chosen]


def run_block(block: Block, state: Path, timeout_s: float) -> None:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if one != OURS),
        "HFT_STATE": os.environ.get("HFT_STATE", str(state)),
        "COLUMNS": "120",
    }
    first = f"{ACTIVATE}\n" if block.activates else ""
    done = subprocess.run(
        [
            "bash",
            "-uo",
            "pipefail",
            "-c",
            first + ENDS_AT_THE_FIRST_FAULT % block.exits + block.body + "true\n",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{block.where} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
