"""The provider of lab hosts as the engine has it: a process of the SDK's, each method over the real wire.

And the program that asks for hosts, run to its end before a monitor that writes down. Neither needs the
engine; in the lab behind it only QEMU is a stand-in.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.driver import Lab
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.small_lab import small_lab

pytestmark = needs.stacks()
pytest.importorskip("pulumi")

import grpc  # noqa: E402
from google.protobuf import json_format, struct_pb2  # noqa: E402
from pulumi.dynamic.dynamic import serialize_provider  # noqa: E402
from pulumi.runtime.proto import provider_pb2 as wire  # noqa: E402
from pulumi.runtime.proto import provider_pb2_grpc  # noqa: E402

from stacks.lab.hosts import owner_of  # noqa: E402
from stacks.lab.provider import LabHostProvider  # noqa: E402
from tests.support.stacks.recorded_program import recorded  # noqa: E402

PROPS: dict[str, Any] = {
    **{"lab": "unit", "name": "standby", "owner": owner_of("ny4"), "number": 21, "kernel": "generic"},
    **{"role": "standby", "failure_domain": "rack-s", "cpus": [1, 3], "memory_mib": [512, 1024]},
    **{"threads_per_core": 1, "nic_node": 1, "wait": False},
}
PICKLED = serialize_provider(LabHostProvider())


def structure(props: Mapping[str, Any]) -> struct_pb2.Struct:
    """Properties as they go over the wire: every number a float, and the provider among them."""
    found = struct_pb2.Struct()
    found.update({**props, "__provider": PICKLED})
    return found


def plain(found: struct_pb2.Struct) -> dict[str, Any]:
    """What came back."""
    return {key: value for key, value in json_format.MessageToDict(found).items() if key != "__provider"}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    small_lab(tmp_path, monkeypatch)
    found = Lab.named("unit")
    yield found
    found.down(print)


@pytest.fixture
def provider(lab: Lab) -> Iterator[Any]:
    """The provider's process, as the SDK starts it, and a client of it."""
    argv = [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        process.kill()
        process.communicate()


def test_the_state_holds_the_providers_name_and_not_its_code() -> None:
    assert len(PICKLED) < 200
    assert b"stacks.lab.provider" in base64.b64decode(PICKLED)


def test_a_host_is_checked_made_read_compared_mended_and_deleted_over_the_wire(
    provider: Any, lab: Lab
) -> None:
    wrong = provider.Check(wire.CheckRequest(news=structure({**PROPS, "kernel": "zen"})))
    assert [one.reason for one in wrong.failures] == ["standby: kernel 'zen': use rt or generic"]
    checked = provider.Check(wire.CheckRequest(news=structure(PROPS)))
    assert (list(checked.failures), lab.directory.exists()) == ([], False)

    made = provider.Create(wire.CreateRequest(properties=checked.inputs))
    machine, there = lab.machine("standby"), plain(made.properties)
    assert machine.is_running()
    assert made.id == lab.entries()["standby"]["uuid"] == there["uuid"]
    assert there["host"]["identity"]["machine_id"] == lab.entries()["standby"]["machine_id"]

    def diff(**news: Any) -> Any:
        olds = provider.Read(wire.ReadRequest(id=made.id, properties=made.properties)).properties
        return provider.Diff(wire.DiffRequest(id=made.id, olds=olds, news=structure({**PROPS, **news})))

    assert diff().changes == wire.DiffResponse.DIFF_NONE
    assert (diff(kernel="rt").changes, list(diff(kernel="rt").replaces)) == (
        wire.DiffResponse.DIFF_SOME,
        ["kernel"],
    )
    assert diff(kernel="rt").deleteBeforeReplace

    machine.crash()
    seen = provider.Read(wire.ReadRequest(id=made.id, properties=made.properties))
    assert (seen.id, plain(seen.properties)["running"]) == (made.id, False)
    assert (diff().changes, list(diff().replaces)) == (wire.DiffResponse.DIFF_SOME, [])
    mended = provider.Update(wire.UpdateRequest(id=made.id, olds=seen.properties, news=structure(PROPS)))
    assert plain(mended.properties)["uuid"] == made.id
    assert machine.is_running()

    machine.crash()
    machine.wiring.disk.unlink()
    assert list(diff().replaces) == ["has_disk"]
    provider.Delete(wire.DeleteRequest(id=made.id, properties=made.properties))
    assert not lab.directory.exists()
    assert provider.Read(wire.ReadRequest(id=made.id, properties=made.properties)).id == ""
    provider.Delete(wire.DeleteRequest(id=made.id, properties=made.properties))  # told twice


def test_the_host_of_somebody_else_is_named_and_left_alone(provider: Any, lab: Lab) -> None:
    theirs = provider.Create(wire.CreateRequest(properties=structure({**PROPS, "owner": owner_of("other")})))
    with pytest.raises(grpc.RpcError) as raised:
        provider.Create(wire.CreateRequest(properties=structure(PROPS)))
    assert "standby: is there in lab unit, made by stack other" in (raised.value.details() or "")
    provider.Delete(wire.DeleteRequest(id="another", properties=structure(PROPS)))
    assert lab.entries()["standby"]["uuid"] == theirs.id
    assert lab.machine("standby").is_running()


def test_the_program_asks_for_each_host_with_the_next_number_and_tells_the_site() -> None:
    plain_settings = {
        **{"lab:lab": "unit", "lab:hosts": '["one", "two"]', "lab:number": "30", "lab:kernel": "generic"},
        **{"lab:role": "standby", "lab:failureDomain": "rack-s", "lab:cpus": "[2, 2]", "lab:wait": "true"},
        **{"lab:memoryMib": "[512, 512]", "lab:threadsPerCore": "2", "lab:nicNode": "1"},
    }
    found = recorded(ROOT / "stacks/lab/__main__.py", {"two": plain_settings}, "lab")["two"]
    inputs = {one["name"]: one["inputs"] for one in found["resources"]}
    assert {name: one["number"] for name, one in inputs.items()} == {"one": 30, "two": 31}
    assert {one["type"] for one in found["resources"]} == {"pulumi-python:dynamic/hft:LabHost"}
    wanted = {"owner": "stack test", "cpus": [2, 2], "threads_per_core": 2, "wait": True, "lab": "unit"}
    assert {key: inputs["one"][key] for key in wanted} == wanted
    assert found["outputs"]["site"]["name"] == "test"
