"""The deadman at a BMC that does not answer, and at one that refuses: two results, and two exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploys.rollout.outcome import outcome_of
from hft.errors import Exit, exit_code_of
from inventory.power import NoPower, PowerError, RedfishPower
from tests.support.ports import free_port
from transport.errors import HostError, UnreachableError
from transport.redfish import BmcAddress


def power(folder: Path, password: str) -> RedfishPower:
    credential = folder / "credential"
    credential.write_text(password)
    credential.chmod(0o600)
    url = f"https://127.0.0.1:{free_port()}"
    address = BmcAddress(host="e1", url=url, tls_sha256="0" * 64, credential=credential, uuid="")
    return RedfishPower(address=address, console=None)


def test_a_bmc_that_does_not_answer_is_an_unreachable_host(tmp_path: Path) -> None:
    for act in (power(tmp_path, "root:x\n").cycle, power(tmp_path, "root:x\n").off):
        with pytest.raises(UnreachableError, match="does not answer") as caught:
            act()
        assert exit_code_of(caught.value) is Exit.UNREACHABLE
        assert outcome_of("e1", caught.value).result == "unreachable"


def test_what_no_power_control_can_do_is_the_hosts_own_error(tmp_path: Path) -> None:
    for act in (NoPower(host="e1").cycle, power(tmp_path, "no colon").cycle):
        with pytest.raises(PowerError) as caught:
            act()
        assert isinstance(caught.value, HostError)
        assert (caught.value.host, exit_code_of(caught.value)) == ("e1", Exit.BAD_INPUT)
        ended = outcome_of("e1", caught.value)
        assert (ended.result, ended.sentence) == ("failed", caught.value.seen)
