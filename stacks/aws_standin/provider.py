"""`pulumi-resource-aws`: the protocol of a Pulumi provider over the tables (pulumirpc.ResourceProvider).

The engine starts it from PATH and reads its port. It is a stand-in for a plan and for the engine's own
conduct (replace order, protect, refresh, pending operations); what AWS would say to the values is not
known here.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from stacks.aws_standin.names import faults
from stacks.aws_standin.tables import INVOKES, OUTPUTS, PREFIX, REPLACES
from stacks.aws_standin.world import FaultError, World

PULUMI_AWS = "7.51.1"  # of the pulumi_aws whose names it checks
_SIZE_MAX = 64 << 20


def dictionary(message: struct_pb2.Struct) -> dict[str, Any]:
    """A message as a value; whole numbers stay whole."""
    found = _whole(MessageToDict(message))
    assert isinstance(found, dict)
    return found


def struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    """A value as a message."""
    return ParseDict(value, struct_pb2.Struct())


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(one) for key, one in value.items()}
        case list():
            return [_whole(one) for one in value]
        case _:
            return value


def type_of(urn: str) -> str:
    """The type token of a URN."""
    return urn.split("::")[2].rpartition("$")[2]


def made_state(token: str, made: str, urn: str, inputs: Mapping[str, Any], region: str) -> dict[str, Any]:
    """What a resource has once it exists."""
    name = urn.rpartition("::")[2]
    words = {"id": made, "name": name, "region": region, "byte": 4 + sum(made.encode()) % 250}
    outputs = {key: text.format(**words) for key, text in OUTPUTS.get(token, {}).items()}
    return {**outputs, **inputs}


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One process, one region."""

    def __init__(self, world: World) -> None:
        self._world, self._region = world, "us-east-1"

    def Handshake(self, _: Any, __: Any) -> Any:  # noqa: N802  # the service's own names, here and below
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, _: Any, __: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=PULUMI_AWS)

    def CheckConfig(self, request: Any, _: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, _: Any, __: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, _: Any) -> Any:  # noqa: N802
        self._region = str(dictionary(request.args).get("region", self._region))
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=False)

    def Check(self, request: Any, _: Any) -> Any:  # noqa: N802
        wrong = [
            provider_pb2.CheckFailure(property=path, reason=said)
            for path, said in self._wrong(type_of(request.urn), dictionary(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=wrong)

    def _wrong(self, token: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield from faults(token, inputs)
        if token not in REPLACES:
            yield (
                "",
                f"the stand-in does not know what replaces {token}; add it to stacks/aws_standin/tables.py",
            )

    def Diff(self, request: Any, _: Any) -> Any:  # noqa: N802
        old = dictionary(request.old_inputs) or dictionary(request.olds)
        new = dictionary(request.news)
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        replaces = [key for key in changed if key in REPLACES[type_of(request.urn)]]
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed, replaces=replaces)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        token, inputs = type_of(request.urn), dictionary(request.properties)
        if request.preview:  # what is missing then is what is not known yet
            return provider_pb2.CreateResponse(properties=request.properties)
        prefix = PREFIX.get(token.rpartition(":")[2], "")
        try:
            made = self._world.make(token, prefix, inputs)
        except FaultError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        state = made_state(token, made, request.urn, inputs, self._region)
        self._world.write(made, token, state)
        return provider_pb2.CreateResponse(id=made, properties=struct(state))

    def Read(self, request: Any, _: Any) -> Any:  # noqa: N802
        state = self._world.read(request.id)
        if state is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=struct(state), inputs=request.inputs)

    def Update(self, request: Any, _: Any) -> Any:  # noqa: N802
        token = type_of(request.urn)
        state = {**dictionary(request.olds), **dictionary(request.news)}
        if not request.preview:
            self._world.write(request.id, token, state)
        return provider_pb2.UpdateResponse(properties=struct(state))

    def Delete(self, request: Any, _: Any) -> Any:  # noqa: N802
        self._world.drop(request.id)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, _: Any) -> Any:  # noqa: N802
        if request.tok not in INVOKES:
            said = f"the stand-in has no answer for {request.tok}; it has {', '.join(sorted(INVOKES))}"
            return provider_pb2.InvokeResponse(failures=[provider_pb2.CheckFailure(property="", reason=said)])
        return provider_pb2.InvokeResponse(**{"return": struct(INVOKES[request.tok])})

    def Cancel(self, _: Any, __: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


def main() -> None:
    """Serve until the engine ends us; the first line of standard output is the port."""
    options = [("grpc.max_receive_message_length", _SIZE_MAX)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(World.here()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    for number in (signal.SIGINT, signal.SIGTERM):  # the engine waits for whoever does not end at once
        signal.signal(number, lambda *_: os._exit(0))
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
