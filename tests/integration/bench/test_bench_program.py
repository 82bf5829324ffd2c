"""The benchmark as a program."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.checkout import ROOT

pytestmark = pytest.mark.long


def test_planner_plans_1024_cpus_and_the_report_is_one_json_document() -> None:
    argv = [sys.executable, "-m", "bench", "--only", "planner", "--json", "--runs", "1"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["planner"]["cpus"] == 1024
    assert document["planner"]["plan"]["runs"] == 10
    assert document["noop"] is None
