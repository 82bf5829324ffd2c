"""The `lab` blocks of the documents run as written, against the shared lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.driver import Lab
from tests.support.documents import Block, of_tier, run_block

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("block", of_tier("lab"))
def test_lab_block_runs_as_written(block: Block, lab: Lab, tmp_path: Path) -> None:
    assert lab.machines()
    run_block(block, tmp_path, timeout_s=600)
