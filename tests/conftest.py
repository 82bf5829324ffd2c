"""How the tests are spread over processes: one for each CPU, the longest first, one alone for booted VMs.

And what no test leaves to the next one in its process.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import settings

settings.register_profile("a busy machine is no finding", deadline=None)
settings.load_profile("a busy machine is no finding")

# What takes seconds where others take milliseconds, the longest first: files, or single tests of a file.
# Begun last, each would run on one CPU while the others have nothing left to do.
LONGEST = (
    "tests/tidy/test_tidy.py::test_types_are_strict",
    "tests/integration/deploys/test_pyinfra_runs.py",
    "tests/integration/test_documents.py",
    "tests/integration/bench/test_bench_target.py",
    "tests/integration/agent/test_transaction_killed.py",
    "tests/integration/checks/test_check_meter.py",
    "tests/integration/inventory/test_stock_pyinfra.py",
    "tests/integration/lab/test_lab_identity.py",
)


@pytest.fixture(autouse=True)
def signals_are_given_back() -> Iterator[None]:
    """A verb catches signals for the rest of its process, which here is that of the tests behind it."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in ending}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler and handler is not None:
            signal.signal(number, handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The lab of a session is booted once, so its tests stay in one process."""
    wanted = str(config.option.markexpr)
    return 0 if wanted.startswith(("vm", "drill")) else os.cpu_count() or 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run them: every process begins with its share of LONGEST."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        order = {item.nodeid: item for item in items}
        items[:] = [order[name] for name in dealt(order, workers)]


def dealt(names: Iterable[str], workers: int) -> list[str]:
    """NAMES as xdist cuts them: WORKERS stretches of one length, and LONGEST dealt to the heads of these."""
    rest = dict.fromkeys(names)
    lengths = [(len(rest) + worker) // workers for worker in range(workers)]
    stretches: list[list[str]] = [[] for _ in lengths]
    for place, long in enumerate(LONGEST):
        mine = [name for name in rest if name.startswith(long)]
        for name in mine:
            del rest[name]
        stretches[place % workers].extend(mine)
    others = iter(rest)
    for stretch, length in zip(stretches, lengths, strict=True):
        stretch.extend(itertools.islice(others, max(0, length - len(stretch))))
    return [name for stretch in stretches for name in stretch] + list(others)
