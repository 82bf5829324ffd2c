"""The stand-in for AWS's provider, as Pulumi's engine talks to it: a process of its own, over gRPC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import needs
from tests.support.checkout import ROOT

pytestmark = needs.stacks()

STARTER = ROOT / "stacks" / "aws_standin" / "bin" / "pulumi-resource-aws"
HOST = "aws:ec2/instance:Instance"
INPUTS = {"ami": "ami-0123456789abcdef0", "instanceType": "c7i.metal-24xl", "tags": {"a_key": "kept"}}


def urn(token: str, name: str = "one") -> str:
    return f"urn:pulumi:test::project::hft:cloud:Standby${token}::{name}"


class Standin:
    """A running stand-in and its client."""

    def __init__(self, process: subprocess.Popen[str], stub: Any) -> None:
        self.process, self.stub = process, stub

    def check(self, token: str, inputs: dict[str, Any]) -> list[tuple[str, str]]:
        from pulumi.runtime.proto import provider_pb2

        from stacks.aws_standin.provider import struct

        answer = self.stub.Check(provider_pb2.CheckRequest(urn=urn(token), news=struct(inputs)))
        return [(one.property, one.reason) for one in answer.failures]

    def create(self, token: str, inputs: dict[str, Any], *, preview: bool = False) -> Any:
        from pulumi.runtime.proto import provider_pb2

        from stacks.aws_standin.provider import struct

        wanted = provider_pb2.CreateRequest(urn=urn(token), properties=struct(inputs), preview=preview)
        return self.stub.Create(wanted)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def standin(world: Path) -> Iterator[Standin]:
    yield from started(world)


def started(world: Path) -> Iterator[Standin]:
    import grpc
    from pulumi.runtime.proto import provider_pb2_grpc

    env = os.environ | {"HFT_AWS_STANDIN": str(world), "HFT_PYTHON": sys.executable}
    with subprocess.Popen(
        [str(STARTER), "127.0.0.1:1"], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Standin(process, provider_pb2_grpc.ResourceProviderStub(channel))
        process.kill()


def test_names_of_the_schema_pass_and_map_keys_are_left_alone(standin: Standin) -> None:
    assert standin.check(HOST, INPUTS | {"metadataOptions": {"httpTokens": "required"}}) == []


@pytest.mark.parametrize(
    ("inputs", "path", "hint"),
    [
        ({"instanceTyp": "x"}, "instanceTyp", "did you mean 'instanceType'?"),
        ({"instance_type": "x"}, "instance_type", "did you mean 'instanceType'?"),
        (
            {"metadataOptions": {"httpTokenz": "x"}},
            "metadataOptions.httpTokenz",
            "did you mean 'httpTokens'?",
        ),
        (
            {"ebsBlockDevices": [{"devicename": "x"}]},
            "ebsBlockDevices.devicename",
            "did you mean 'deviceName'?",
        ),
        ({"capacity": 1}, "capacity", "there is no such input"),
    ],
)
def test_a_misspelt_input_is_named_with_the_closest(
    standin: Standin, inputs: dict[str, Any], path: str, hint: str
) -> None:
    (found,) = standin.check(HOST, INPUTS | inputs)
    assert (found[0], hint in found[1]) == (path, True)


def test_a_type_that_is_not_in_the_table_is_refused_instead_of_guessed(standin: Standin) -> None:
    ((_, said),) = standin.check("aws:sns/topic:Topic", {})
    assert "does not know what replaces aws:sns/topic:Topic" in said
    assert any("no resource type" in said for _, said in standin.check("aws:ec2/nothing:Nothing", {}))


@pytest.mark.parametrize(
    ("token", "old", "new", "replaces"),
    [
        (HOST, {"placementGroup": "a"}, {"placementGroup": "b"}, ["placementGroup"]),
        (HOST, {}, {"placementGroup": "b"}, ["placementGroup"]),
        (HOST, {"tags": {"a": "1"}}, {"tags": {"a": "2"}}, []),
        (HOST, {"instanceType": "c7i.metal-24xl"}, {"instanceType": "c8i.metal-48xl"}, []),
        ("aws:ebs/volume:Volume", {"size": 200}, {"size": 400}, []),
        ("aws:ebs/volume:Volume", {"kmsKeyId": "a"}, {"kmsKeyId": "b"}, ["kmsKeyId"]),
    ],
)
def test_what_replaces_and_what_only_changes(
    standin: Standin, token: str, old: dict[str, Any], new: dict[str, Any], replaces: list[str]
) -> None:
    from pulumi.runtime.proto import provider_pb2

    from stacks.aws_standin.provider import struct

    asked = provider_pb2.DiffRequest(urn=urn(token), old_inputs=struct(old), news=struct(new))
    answer = standin.stub.Diff(asked)
    assert list(answer.replaces) == replaces
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    same = provider_pb2.DiffRequest(urn=urn(token), old_inputs=struct(old), news=struct(old))
    assert standin.stub.Diff(same).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_made_object_is_read_back_and_ends(standin: Standin, world: Path) -> None:
    from pulumi.runtime.proto import provider_pb2

    from stacks.aws_standin.provider import dictionary

    made = standin.create(HOST, INPUTS)
    assert made.id.startswith("i-")
    state = dictionary(made.properties)
    assert state["arn"].endswith(f"instance/{made.id}")
    assert state["tags"] == INPUTS["tags"]
    read = standin.stub.Read(provider_pb2.ReadRequest(id=made.id, urn=urn(HOST)))
    assert dictionary(read.properties) == state
    standin.stub.Delete(provider_pb2.DeleteRequest(id=made.id, urn=urn(HOST)))
    assert standin.stub.Read(provider_pb2.ReadRequest(id=made.id, urn=urn(HOST))).id == ""
    assert list((world / "objects").iterdir()) == []


def test_a_preview_makes_nothing_and_knows_no_outputs(standin: Standin, world: Path) -> None:
    from stacks.aws_standin.provider import dictionary

    planned = standin.create(HOST, INPUTS, preview=True)
    assert (planned.id, dictionary(planned.properties)) == ("", INPUTS)
    assert not [path for path in world.rglob("*.json") if path.name != "faults.json"]


def test_a_question_without_a_canned_answer_is_refused(standin: Standin) -> None:
    from pulumi.runtime.proto import provider_pb2

    from stacks.aws_standin.provider import dictionary

    def ask(token: str) -> Any:
        return standin.stub.Invoke(provider_pb2.InvokeRequest(tok=token))

    assert dictionary(getattr(ask("aws:ec2/getAmi:getAmi"), "return"))["id"].startswith("ami-")
    (refused,) = ask("aws:ec2/getVpc:getVpc").failures
    assert "no answer for aws:ec2/getVpc:getVpc" in refused.reason


def test_no_capacity_is_what_aws_says_and_makes_nothing(standin: Standin, world: Path) -> None:
    import grpc

    (world / "faults.json").write_text(json.dumps({HOST: "no capacity"}))
    with pytest.raises(grpc.RpcError) as caught:
        standin.create(HOST, INPUTS)
    (world / "faults.json").unlink()
    assert "InsufficientInstanceCapacity: there is no capacity for c7i.metal-24xl" in str(caught.value)
    assert not (world / "objects").exists() or not list((world / "objects").iterdir())


def test_a_crash_leaves_an_object_that_nobody_was_told_of(tmp_path: Path) -> None:
    import grpc

    from stacks.aws_standin.world import CRASHED

    (tmp_path / "faults.json").write_text(json.dumps({HOST: "crash"}))
    for standin in started(tmp_path):
        with pytest.raises(grpc.RpcError):
            standin.create(HOST, INPUTS)
        assert standin.process.wait(timeout=30) == CRASHED
    assert len(list((tmp_path / "objects").glob("i-*.json"))) == 1
