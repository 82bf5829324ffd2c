"""`pytest checks --inventory inventory/lab.py`: the checks in pytest's own idiom; `pytest --pyargs checks` of
an installation.

Facts and counters are read once per host, before collection; every finding is then one test. A violated
check is a failure, an unverifiable one an error (raised in the test's setup), one that does not apply is
skipped, so `--junitxml` agrees with `hft check --junit`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import pytest_options, store
from checks.errors import CheckError, SelectionError
from checks.suite import HostResult, Options, check_hosts, given_plans, targets
from checks.verdict import Finding, Verdict
from inventory.choice import Source, choose
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Site
from inventory.selection import select
from transport.show import tell


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """The options, where this checkout is not installed: an installation brings them as a plugin."""
    if not pluginmanager.has_plugin(pytest_options.NAME):
        pytest_options.pytest_addoption(parser)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Every host is read once, by one process, whatever options this checkout's own tests use."""
    return 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per finding of each selected host; zero hosts or zero checks is a usage error."""
    if "finding" not in metafunc.fixturenames:
        return
    found = [(result.host, finding) for result in _results(metafunc.config) for finding in _findings(result)]
    if not found:
        raise pytest.UsageError("zero checks: no host produced a finding")
    metafunc.parametrize(
        "finding", [f for _, f in found], ids=[f"{host}-{f.check}" for host, f in found], indirect=True
    )


def _findings(result: HostResult) -> tuple[Finding, ...]:
    if result.unreachable is None:
        return result.findings
    note = result.unreachable
    return (Finding(check="reachable", verdict=Verdict.UNVERIFIABLE, reason="unreachable", message=note),)


def _results(config: pytest.Config) -> tuple[HostResult, ...]:
    option = config.getoption
    try:
        site = _site(option("--inventory"))
        hosts = targets(select(site, option("--limit")))
        options = Options(
            config=not option("--effect-only"),
            effect=not option("--config-only"),
            drained=option("--drained"),
            window_s=option("--window"),
            cache=store.meter_cache(),
            wanted=given_plans(Path(option("--plan")) if option("--plan") else None, hosts),
            untuned={h.name: found for h in hosts if (found := store.load_untuned(site.name, h.name))},
        )
        return check_hosts(site, hosts, options, lambda line: tell(line, err=True))
    except (InventoryError, SelectionError, CheckError) as error:
        raise pytest.UsageError(str(error)) from error


def _site(given: str | None) -> Site:
    """The site that was named, else the configured one; the lab only where there is none, and it is said."""
    choice = choose(given)
    if choice.source is Source.NOBODY:
        tell("no site is configured, so this is the lab; your own: --inventory PATH", err=True)
    return load_site(choice.path)


@pytest.fixture
def finding(request: pytest.FixtureRequest) -> Finding:
    """One finding; an unverifiable one is raised here, in the setup, as an error."""
    found: Finding = request.param
    if found.verdict is Verdict.UNVERIFIABLE:
        raise CheckError(f"{found.reason}: {found.message}")
    if found.verdict is Verdict.NOT_APPLICABLE:
        pytest.skip(f"{found.reason}: {found.message}")
    return found
