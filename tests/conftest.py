"""How many processes run the tests: one for each CPU, but one alone where the tests share booted VMs."""

from __future__ import annotations

import os

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The lab of a session is booted once, so its tests stay in one process."""
    wanted = str(config.option.markexpr)
    return 0 if wanted.startswith(("vm", "drill")) else os.cpu_count() or 1
