"""Somebody else's load on the machine that emulates a host."""

from __future__ import annotations

import subprocess
import sys
import time

from checks.machine import watch


def test_a_busy_loop_of_somebody_else_is_seen_and_named() -> None:
    ended = watch(lambda: ["00000000-0000-0000-0000-000000000000"])
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(1.5)
        seen = ended()
    finally:
        loop.kill()
        loop.wait()
    assert seen.window_s >= 1.5
    assert seen.others_percent > 5
    assert any("python" in one for one in seen.busiest)
    assert "others" in seen.sentence()
