"""DPDK in the run configuration: contract and engine refuse the same, each in one sentence."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.contract.config import Config

from .rig import Rig

pytestmark = pytest.mark.engine
Change = Callable[[dict[str, Any]], object]

REFUSED: dict[str, tuple[str, Change]] = {
    "no device": ("one of pci and vdev", lambda d: d["feeds"][0].update(dpdk={})),
    "two devices": ("one of pci and vdev", lambda d: d["feeds"][0]["dpdk"].update(pci="0000:41:00.0")),
    "no pci address": ("pci", lambda d: d["feeds"][0].update(dpdk={"pci": "41:00.0"})),
    "no network device": ("vdev", lambda d: d["feeds"][0].update(dpdk={"vdev": "crypto_null0"})),
    "unicast": ("multicast", lambda d: d["feeds"][0].update(group="10.77.1.11")),
    "one device twice": (
        "a line has its own",
        lambda d: d["feeds"][1].update(dpdk=d["feeds"][0]["dpdk"]),
    ),
    "few descriptors": ("descriptors", lambda d: d["dpdk"].update(descriptors=1)),
    "hugepages of a word": ("hugepages", lambda d: d["dpdk"].update(hugepages="yes")),
}


def check(programs: Path, path: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(programs / "hft-engine"), "--check", "--config", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", REFUSED)
def test_contract_and_engine_refuse_the_same(
    name: str, make_rig: Callable[..., Rig], dpdk_programs: Path
) -> None:
    rig = make_rig(cables=False)
    says, change = REFUSED[name]
    good = rig.config("ports", dpdk=True)
    assert check(dpdk_programs, rig.write(good)).returncode == 0
    assert Config.model_validate_json(json.dumps(good)).dpdk is not None
    bad = copy.deepcopy(good)
    change(bad)
    with pytest.raises(ValidationError, match=says):
        Config.model_validate_json(json.dumps(bad))
    seen = check(dpdk_programs, rig.write(bad))
    assert (seen.returncode, says in seen.stderr) == (64, True), seen.stderr
    assert seen.stderr.count("\n") == 1


def test_a_polled_feed_must_be_critical_because_an_engine_without_dpdk_would_ignore_it(
    make_rig: Callable[..., Rig],
) -> None:
    document = make_rig(cables=False).config("ports", dpdk=True) | {"critical": []}
    with pytest.raises(ValidationError, match="`critical` must list dpdk"):
        Config.model_validate_json(json.dumps(document))


def test_a_build_without_dpdk_refuses_the_configuration(make_rig: Callable[..., Rig], native: Path) -> None:
    printed = subprocess.run([native / "bin" / "hft-engine", "--manifest"], capture_output=True, check=True)
    if json.loads(printed.stdout)["nic"]["mode"] == "dpdk":
        pytest.skip("the build that HFT_NATIVE_BUILD names has DPDK")
    rig = make_rig(cables=False)
    seen = check(native / "bin", rig.write(rig.config("ports", dpdk=True)))
    assert seen.returncode == 64
    assert "this build has none" in seen.stderr
