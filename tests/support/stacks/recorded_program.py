"""A Pulumi program run against a monitor that only writes down: every request as the engine would get it.

No engine and no provider: this is what the SDK sends for a first preview, so an output that exists only after
creation is the sentinel for unknown. The SDK keeps its settings in the process and in its event loop, so a
program runs in a process of its own, which `recorded` starts; its standard output is the recording.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacks.core.planned import Planned

HERE = Path(__file__)


def recorded(program: Path, runs: Mapping[str, Mapping[str, str]], project: str) -> dict[str, dict[str, Any]]:
    """What PROGRAM registers under each of these configurations: `{"resources": [...], "outputs": {...}}`."""
    request = json.dumps({"program": str(program), "project": project, "runs": runs})
    argv = [sys.executable, str(HERE), request]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def planned(recording: Mapping[str, Any]) -> list[Planned]:
    """The resources of a recording as rules take them."""
    return [
        Planned(
            type=one["type"],
            name=one["name"],
            inputs=one.get("inputs", {}),
            is_protected=one.get("protect", False),
        )
        for one in recording["resources"]
    ]


def main(request: Mapping[str, Any]) -> None:
    """Run each configuration and print what was registered."""
    import asyncio
    import runpy

    import pulumi
    from google.protobuf.json_format import MessageToDict
    from pulumi.runtime import mocks, stack
    from pulumi.runtime.proto import resource_pb2

    class Nothing(mocks.Mocks):  # type: ignore[misc,unused-ignore]  # Pulumi is an extra
        def call(self, args: mocks.MockCallArgs) -> Any:
            raise RuntimeError(f"{args.token} is asked for while planning")

        def new_resource(self, args: mocks.MockResourceArgs) -> Any:
            return None, {}

    class Recorder(mocks.MockMonitor):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__(Nothing())
            self.resources_seen: list[dict[str, Any]] = []
            self.outputs: dict[str, Any] = {}

        def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # as the monitor's service has it
            urn = self.make_urn(request.parent, request.type, request.name)
            if request.type != "pulumi:pulumi:Stack":
                self.resources_seen.append(shown(request))
            return resource_pb2.RegisterResourceResponse(urn=urn, id="", object=request.object)

        def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
            if "pulumi:pulumi:Stack" in request.urn.split("::")[2].split("$")[-1]:
                self.outputs = MessageToDict(request.outputs)
            monitor: Any = super()  # the SDK's own method has no types
            return monitor.RegisterResourceOutputs(request)

    def shown(one: Any) -> dict[str, Any]:
        fields = {
            "type": one.type,
            "name": one.name,
            "parent": one.parent.rpartition("::")[2],
            "inputs": whole(MessageToDict(one.object)),
            "protect": one.protect,
            "retainOnDelete": one.retainOnDelete,
            "deleteBeforeReplace": one.deleteBeforeReplace,
            "createTimeout": one.customTimeouts.create,
            "dependencies": sorted({urn.rpartition("::")[2] for urn in one.dependencies}),
        }
        return {key: value for key, value in fields.items() if value}

    def whole(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, dict):
            return {key: whole(one) for key, one in sorted(value.items())}
        return [whole(one) for one in value] if isinstance(value, list) else value

    def run(config: Mapping[str, str]) -> dict[str, Any]:
        asyncio.set_event_loop(asyncio.new_event_loop())
        recorder = Recorder()
        mocks.set_mocks(Nothing(), project=request["project"], stack="test", preview=True, monitor=recorder)
        settings: Any = pulumi.runtime.settings
        settings.set_root_resource(None)  # the program makes its own
        pulumi.runtime.set_all_config(dict(config))
        loop = asyncio.get_event_loop()
        in_stack: Any = stack.run_in_stack
        loop.run_until_complete(in_stack(lambda: runpy.run_path(request["program"])))
        return {
            "resources": sorted(recorder.resources_seen, key=lambda one: (one["type"], one["name"])),
            "outputs": whole(recorder.outputs),
        }

    found = {name: run(config) for name, config in request["runs"].items()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
