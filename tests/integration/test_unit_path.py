"""Planner, agent and checks look for units where systemd does, in its order."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from agent.transaction.unit_places import OUTRANKING
from checks import systemd_files
from tests.support import needs
from tuning.snapshot.capture import PATTERNS
from tuning.units import UNIT_DIR, UNIT_PATH

FACTS = Path(systemd_files.__file__).with_name("facts.sh").read_text("utf-8")
ALIAS = "/lib/systemd/system"  # of the vendor's folder, where /usr is merged


@needs.programs("systemd-analyze")
def test_the_path_of_units_is_systemds_own() -> None:
    argv = ["systemd-analyze", "unit-paths", "--system"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert [one for one in done.stdout.split() if one != ALIAS] == list(UNIT_PATH)


def test_all_four_readers_have_one_path() -> None:
    assert systemd_files.UNIT_FOLDERS == UNIT_PATH
    in_script = re.search(r"^unit_folders='([^']*)'", FACTS, re.MULTILINE)
    assert in_script is not None
    assert in_script[1].split() == list(UNIT_PATH)
    assert {f"{folder[1:]}/*slice.d/*.conf" for folder in UNIT_PATH} <= set(PATTERNS)
    assert [*OUTRANKING, UNIT_DIR] == list(UNIT_PATH[: len(OUTRANKING) + 1])
