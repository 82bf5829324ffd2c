"""A signal at any moment ends `hft` as documented: exit code 130, one sentence, the record closed."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.checkout import ROOT

# The signal comes while the Nth module is imported: before click is there, amid it, and behind it.
CHILD = """
import builtins, os, signal, sys
from hft.__main__ import main
left, real = int(sys.argv.pop(1)), builtins.__import__
number = int(sys.argv.pop(1))

def counting(*words, **named):
    global left
    left -= 1
    if left == 0:
        signal.raise_signal(number)
    return real(*words, **named)

builtins.__import__ = counting
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("nth", [1, 30, 300, 1500])
def test_a_signal_while_it_starts_is_an_interrupt_and_no_traceback(number: int, nth: int) -> None:
    argv = [
        sys.executable,
        "-c",
        CHILD,
        str(nth),
        str(int(number)),
        "host",
        "list",
        "--inventory",
        "inventory/colo.py",
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert (done.returncode, "hft: interrupted" in done.stderr) == (130, True), done


def test_a_run_that_is_ended_by_a_signal_closes_its_record() -> None:
    code = (
        "import os, signal; from hft import run_log, signals\n"
        "signals.end_as_ctrl_c()\n"
        "with run_log.recorded('rack', 'apply', hosts=['e1']) as run:\n"
        "    run.ended('e1', result='committed')\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    signal.pause()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert done.returncode != 0
    from hft import run_log

    history = run_log.read("rack")
    assert [line["event"] for line in history.lines] == ["opened", "host", "closed"]
    assert history.lines[-1]["exit_code"] == 130
    assert history.lines[-1]["hosts"] == {"e1": {"result": "committed"}}
