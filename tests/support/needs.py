"""What a test needs of the machine: without it the test is skipped, and the reason names what is missing.

One rule for all: a test that needs root, a program or a kernel feature says so with a mark from here (or
calls `skip_without` in a fixture). It neither fails nor passes quietly where that is missing.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Programs of the system are found also where a user's PATH does not lead.
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--propagation", "private", "true")


def found(program: str) -> str | None:
    """Where a program is; None where it is not installed."""
    return shutil.which(program, path=PLACES)


def missing(*names: str) -> str:
    """The reason why tests with these programs cannot run; nothing is ''."""
    absent = [name for name in names if found(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def programs(*names: str) -> pytest.MarkDecorator:
    """The test starts these programs."""
    return pytest.mark.skipif(bool(missing(*names)), reason=missing(*names))


def root(why: str) -> pytest.MarkDecorator:
    """The test needs root to do WHY."""
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"needs root: {why}")


def cpus(count: int) -> pytest.MarkDecorator:
    """The test needs so many CPUs that it may use."""
    return pytest.mark.skipif(len(os.sched_getaffinity(0)) < count, reason=f"needs {count} CPUs")


@functools.cache
def may_unshare() -> bool:
    """Whether this process may make mount and PID namespaces."""
    if os.geteuid() != 0 or missing(UNSHARE[0]):
        return False
    return subprocess.run(UNSHARE, capture_output=True, check=False).returncode == 0


def namespaces() -> pytest.MarkDecorator:
    """The test mounts in namespaces of its own (a fake host does)."""
    return pytest.mark.skipif(not may_unshare(), reason="needs root and namespaces (unshare)")


def stacks() -> pytest.MarkDecorator:
    """The test imports Pulumi's packages, which only `make setup-stacks` installs."""
    absent = importlib.util.find_spec("pulumi_policy") is None
    return pytest.mark.skipif(absent, reason="Pulumi's Python packages are not installed: make setup-stacks")


def uplot() -> pytest.MarkDecorator:
    """The test draws the wall, or installs it."""
    absent = not (Path(__file__).parents[2] / ".setup/wall/node_modules/uplot/dist").is_dir()
    return pytest.mark.skipif(absent, reason="uPlot is not fetched: make setup-wall")


def stack_engine() -> pytest.MarkDecorator:
    """The test runs Pulumi's engine, or what comes with it: the one that was built here."""
    built = Path(__file__).parents[2] / ".setup" / "stacks" / "bin"
    absent = not (built / "pulumi-language-python-exec").exists()
    return pytest.mark.skipif(absent, reason="Pulumi's engine is not built: make setup-stacks")


def skip_without(*names: str) -> None:
    """The same as `programs`, for a fixture or the middle of a test."""
    if reason := missing(*names):
        pytest.skip(reason)
