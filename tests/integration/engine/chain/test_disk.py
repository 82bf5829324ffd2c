"""No disk stops a kill: what the chain writes lies on a disk that is full, or that refuses every write."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.process import own_mounts

ERRNO = {"full": errno.ENOSPC, "refused": errno.EFBIG}


def seen_on(native: Path, how: str) -> dict[str, Any]:
    words = [
        *own_mounts(),
        sys.executable,
        "-m",
        "tests.integration.engine.chain.full_disk",
        str(native),
        how,
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.engine
@pytest.mark.parametrize("how", ["full", "refused"])
def test_a_kill_blocks_and_cancels_although_nothing_can_be_written(native: Path, how: str) -> None:
    seen = seen_on(native, how)
    assert seen["errno"] == ERRNO[how]
    assert (seen["state_before"], seen["order_before"]) == ("REDUCING", "journal"), "a broken journal says so"
    for answer in (seen["kill"], seen["again"]):
        assert (answer["open_before"], answer["cancels_sent"]) == (2, 2)
    assert seen["again"]["cancels_acked"] == 2
    assert (seen["order_after"], seen["open"], seen["orders"]) == ("not_active", 0, [1, 2])
    assert seen["restart"]["exit"] == 75, "an engine that cannot write does not start"
    if how == "full":  # the latch is overwritten in place, which takes no page
        assert (seen["restart"]["after_room"], seen["restart"]["promote"]) == ("HALTED", "latched")
        assert seen["gateway"] == {"durable": True, "clear": False}
