"""One lab for every test that needs VMs: two engine hosts, booted once, in $HFT_LAB.

Without HFT_LAB the session has a lab of its own, which goes when the session ends. With HFT_LAB=name (a
developer's lab) running hosts are used as they are and stay up. Boots are counted by QEMU's own events and
printed; a run of the `vm` tests that needs more than BOOTS_MAX fails. The console of every host is printed
when a test fails.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from lab.driver import Lab
from lab.machine import Machine
from lab.spec import specs_of

BOOTS_MAX = 12
CONSOLE_LINES = 30
ENGINES = ("engine-1", "engine-2")

_labs: list[Lab] = []
_boots_before: dict[str, int] = {}
_boots_of_labs_gone = 0


def boots_now() -> int:
    """Boots of this session, over all its labs."""
    standing = sum(machine.boots() for lab in _labs for machine in lab.machines())
    return _boots_of_labs_gone + standing - sum(_boots_before.values())


def bring_down(lab: Lab) -> None:
    """End a lab of this session; its boots stay counted."""
    global _boots_of_labs_gone  # noqa: PLW0603 - one counter of one test session
    _boots_of_labs_gone += sum(machine.boots() for machine in lab.machines())
    _labs.remove(lab)
    lab.down(print)


@pytest.fixture(scope="session", autouse=True)
def lab() -> Iterator[Lab]:
    """The shared lab, both engine hosts up."""
    given = os.environ.get("HFT_LAB")
    name = given or f"test-{os.getpid()}"
    os.environ["HFT_LAB"] = name
    shared = Lab.named(name)
    _boots_before[name] = sum(machine.boots() for machine in shared.machines())
    _labs.append(shared)
    try:
        shared.up(specs_of(ENGINES), print)
        yield shared
    finally:
        if not given:
            bring_down(shared)
            del os.environ["HFT_LAB"]


@pytest.fixture(scope="session")
def engine_rt(lab: Lab) -> Machine:
    """engine-1: the PREEMPT_RT kernel."""
    return lab.machine("engine-1")


@pytest.fixture(scope="session")
def engine_generic(lab: Lab) -> Machine:
    """engine-2: the generic kernel."""
    return lab.machine("engine-2")


@pytest.fixture
def second_lab(lab: Lab) -> Iterator[Lab]:
    """Another lab of the same session, not up yet; it goes with the test."""
    second = Lab.named(f"{lab.name[:24]}-second")
    _labs.append(second)
    try:
        yield second
    finally:
        bring_down(second)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the consoles with the failure they belong to."""
    report = yield
    if report.failed:
        for lab_of_session in _labs:
            for machine in lab_of_session.machines():
                tail = "\n".join(machine.console_text().splitlines()[-CONSOLE_LINES:])
                report.sections.append((f"console of {machine.name} in lab {lab_of_session.name}", tail))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the session cost."""
    if _boots_before:
        terminalreporter.write_line(
            f"VM boots in this session: {boots_now()} (at most {BOOTS_MAX} in `make test`)"
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Too many boots fail the run: every boot costs the machine three quarters of a minute."""
    is_gate = session.config.option.markexpr.startswith("vm")
    if is_gate and boots_now() > BOOTS_MAX and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
