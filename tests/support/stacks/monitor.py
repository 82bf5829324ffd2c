"""The half of Pulumi's engine that a program talks to: enough of it to run one program to its end.

Real messages of the SDK over real gRPC; it accepts every resource and remembers what was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc


@dataclass
class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Both services of the engine, on one port."""

    address: str = ""
    registered: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def GetDeploymentInfo(self, _: Any, __: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo()

    def SupportsFeature(self, request: Any, _: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in ("secrets", "outputValues"))

    def RegisterResource(self, request: Any, _: Any) -> Any:  # noqa: N802
        self.registered.append(request.type)
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:s::p::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, _: Any, __: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, _: Any, __: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Log(self, request: Any, _: Any) -> Any:  # noqa: N802
        self.logged.append(request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, _: Any, __: Any) -> Any:  # noqa: N802
        return engine_pb2.GetRootResourceResponse(urn="")

    def SetRootResource(self, _: Any, __: Any) -> Any:  # noqa: N802
        return engine_pb2.SetRootResourceResponse()


@contextmanager
def serving() -> Iterator[Monitor]:
    """A monitor that answers at its address until the body ends."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    monitor = Monitor()
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(monitor, server)
    monitor.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield monitor
    finally:
        server.stop(None)
