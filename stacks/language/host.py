"""Pulumi's protocol for a language (`pulumirpc.LanguageRuntime`), served for Python programs.

The engine starts `pulumi-language-python ENGINE_ADDRESS`, reads the port from its first line and calls Run
for a program and RunPlugin for a policy pack. Each runs in a process of its own, under the interpreter that
the project names (`virtualenv` of its runtime options) or else the `python3` of PATH. A program is run by the
SDK's own `pulumi-language-python-exec`, which setup takes from the engine's own sources: what it is given,
and what its exit codes mean, is held by a contract test. The messages are the SDK's
(`pulumi/runtime/proto/language_pb2.pyi`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2 as wire
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

EXEC = "pulumi-language-python-exec"
LEASH = str(Path(__file__).with_name("leash.py"))
SHOWN = 32  # the program has already told its user what is wrong
MODULES = {"analyzer": "pulumi.policy", "resource": "pulumi.run.plugin"}
MESSAGE_BYTES_MAX = 400 << 20  # the engine's own bound
WORKERS = 8
# What a program needs no answer for: its packages are installed, by whoever made its environment.
EMPTY: Mapping[str, type[Any]] = {
    "Handshake": wire.LanguageHandshakeResponse,
    "GetPluginInfo": plugin_pb2.PluginInfo,
    "GetRequiredPackages": wire.GetRequiredPackagesResponse,
    "GetRequiredPlugins": wire.GetRequiredPluginsResponse,
    "About": wire.AboutResponse,
    "GetProgramDependencies": wire.GetProgramDependenciesResponse,
    "RuntimeOptionsPrompts": wire.RuntimeOptionsResponse,
}


def interpreter(info: wire.ProgramInfo) -> str:
    """The Python that a project runs under."""
    named = dict(info.options).get("virtualenv")
    return str(Path(info.root_directory, str(named), "bin", "python")) if named else "python3"


def program_argv(request: wire.RunRequest, engine: str, script: str) -> list[str]:
    """What runs the program of REQUEST: options for the SDK's script, none empty, and the program."""
    info = request.info
    options = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": "true" if request.dryRun else "false",
        "parallel": str(request.parallel),
        "organization": request.organization,
        "root_directory": info.root_directory,
    }
    given = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    program = str(Path(info.program_directory, info.entry_point))
    return [interpreter(info), "-u", LEASH, script, *given, program, *request.args]


def program_environment(request: wire.RunRequest) -> dict[str, str]:
    """The variables that carry the configuration; which of its keys are secret is told beside it."""
    return {
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        "PYTHONUNBUFFERED": "1",
    }


def verdict(code: int) -> wire.RunResponse:
    """What the exit code of a program means to the engine."""
    if code == SHOWN:
        return wire.RunResponse(bail=True)
    return wire.RunResponse(error="" if code == 0 else f"the program ended with exit code {code}")


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """The service. What is not here is refused by the base class as not implemented."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def Run(self, request: wire.RunRequest, context: grpc.ServicerContext) -> wire.RunResponse:  # noqa: N802
        """Run a program to its end."""
        script = shutil.which(EXEC)
        if script is None:
            return wire.RunResponse(error=f"{EXEC} is not on PATH; hint: make setup-stacks")
        argv = program_argv(request, self._engine, script)
        program = subprocess.Popen(argv, env={**os.environ, **program_environment(request)})
        context.add_callback(program.kill)
        return verdict(program.wait())

    def RunPlugin(  # noqa: N802
        self, request: wire.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.RunPluginResponse]:
        """Run a policy pack or a provider written in Python; its output is streamed, then its exit code."""
        module = MODULES[request.kind or "resource"]
        argv = [
            interpreter(request.info),
            "-u",
            LEASH,
            "--module",
            module,
            *request.args,
            request.info.program_directory,
        ]
        given = dict(line.split("=", 1) for line in request.env)
        given |= {"PYTHONUNBUFFERED": "1"}
        plugin = subprocess.Popen(  # a pipe for each stream, because the first line is the plug-in's port
            argv, cwd=request.pwd, env={**os.environ, **given}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        context.add_callback(plugin.kill)
        assert plugin.stdout is not None and plugin.stderr is not None
        errors = plugin.stderr
        # Its diagnostics go out as ours do: the engine shows what a language host prints.
        Thread(target=lambda: [os.write(2, line) for line in errors], daemon=True).start()
        for line in plugin.stdout:
            yield wire.RunPluginResponse(stdout=line)
        yield wire.RunPluginResponse(exitcode=plugin.wait())

    def InstallDependencies(self, *_: object) -> Iterator[wire.InstallDependenciesResponse]:  # noqa: N802
        """Nothing is installed: the engine that we build runs offline, in an environment that is there."""
        return iter(())


def _answer_empty(kind: type[Any]) -> Any:
    return lambda _self, _request, _context: kind()


for _name, _kind in EMPTY.items():
    setattr(Host, _name, _answer_empty(_kind))


def serve(argv: Sequence[str]) -> None:
    """Serve until the engine asks this process to end, which it does by SIGINT; then at once."""
    options = [(f"grpc.max_{way}_message_length", MESSAGE_BYTES_MAX) for way in ("receive", "send")]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=WORKERS), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1:])
