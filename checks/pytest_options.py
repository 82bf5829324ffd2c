"""The options of `pytest checks`, as a pytest plugin of the installed package (entry point `pytest11`).

pytest reads its command line before it looks for the conftest.py of an installed package, so there they would
come too late. It is loaded by every pytest of that environment (hft/pytest_plugin.py), does nothing but add
them, and imports nothing of ours.
"""

from __future__ import annotations

import pytest

NAME = "hft-checks"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `hft check` that make sense under pytest."""
    group = parser.getgroup("hft", "hosts and how to check them")
    group.addoption(
        "--inventory",
        metavar="PATH",
        help="A .py, .toml or .json inventory (default: the configured site, else the lab).",
    )
    group.addoption("--limit", metavar="HOSTS", help="Which hosts, in the words of hft check --limit.")
    group.addoption("--plan", metavar="FILE|DIR", help="The plan that a host must have committed.")
    group.addoption(
        "--window", metavar="SECONDS", type=float, default=20.0, help="Of the effect checks' window (20)."
    )
    group.addoption("--config-only", action="store_true", help="Only read; put no load on any CPU.")
    group.addoption("--effect-only", action="store_true", help="Only measure.")
    group.addoption("--drained", action="store_true", help="No host is trading: load every idle CPU.")
