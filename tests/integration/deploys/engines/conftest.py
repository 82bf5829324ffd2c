"""A package, signed limits and what an operator asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploys.slot.limits import SignedLimits
from deploys.slot.package import Package, read_package
from deploys.slot.signed_limits import read_limits
from deploys.slot.slot_changes import Asked
from engine.independent import package as stub
from tests.support.engine.deploy import TRADE, signers, signers_sha256, write_limits


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The alien engine as an artifact on disk."""
    return stub.write(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def package(artifact: Path) -> Package:
    """The same, read."""
    return read_package(artifact)


@pytest.fixture(scope="session")
def limits_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed limits of serial 3."""
    return write_limits(tmp_path_factory.mktemp("limits"))


@pytest.fixture(scope="session")
def limits(limits_path: Path) -> SignedLimits:
    """The same, verified."""
    return read_limits(limits_path, signers(), now_utc_ns=0)


@pytest.fixture
def asked(package: Package, limits: SignedLimits) -> Asked:
    """A first deploy."""
    return Asked(package=package, limits=limits, config=TRADE, signers_sha256=signers_sha256())
