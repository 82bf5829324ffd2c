"""The run record and the processes that write it: one that is killed, several at once."""

from __future__ import annotations

import signal
import subprocess
import sys

from hft import run_log


def test_run_that_was_killed_stays_open_in_the_record() -> None:
    code = (
        "import os, signal; from hft import run_log\n"
        "with run_log.recorded('rack', 'apply', hosts=['e1'], reason='dies'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (dead,) = run_log.read("rack").dead_runs()
    assert (dead["verb"], dead["reason"]) == ("apply", "dies")
    with run_log.recorded("rack", "apply", hosts=["e1"]):
        opened = run_log.read("rack").open_runs()
        assert [line["reason"] for line in opened] == ["dies", ""]
        assert len(run_log.read("rack").dead_runs()) == 1, "the one that is running is not dead"
    assert run_log.read("rack").open_runs() == (), "a later run of its kind put things right"


def test_two_writers_make_one_chain() -> None:
    code = "from hft import run_log\nfor n in range(20): run_log.append('rack', {'event': 'note', 'n': n})\n"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0, 0]
    history = run_log.read("rack")
    assert (len(history.lines), history.problems) == (60, ())
