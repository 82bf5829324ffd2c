"""The engine as a process: how it is started, interrupted and waited for.

The Automation API leaves it behind on Ctrl-C, and then the engine either dies in the middle of a creation or
goes on unseen. Here it has a session of its own, so that a terminal's Ctrl-C does not reach it twice; an
interrupt is passed on once, which makes it finish what it has begun and start nothing more, and then waited
for.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from threading import Thread, Timer
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2
from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from pulumi.runtime.proto import language_pb2_grpc
from semver import VersionInfo
from typing_extensions import override

from stacks.errors import StackError
from stacks.runner.tools import Tools

MAJOR = 3  # of the Automation API that this release has
VERSION_TIMEOUT_S = 30.0

Line = Callable[[str], Any]


class Engine(PulumiCommand):
    """`pulumi`, for the Automation API. INTERRUPTED is called once when a run is asked to end early."""

    def __init__(
        self, tools: Tools, interrupted: Callable[[], None]
    ) -> None:  # the base class wants it on PATH
        self.command = str(tools.engine)
        self.version = version_of(tools)
        self._interrupted = interrupted

    @override
    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Line | None = None,
        on_error: Line | None = None,
    ) -> CommandResult:
        """Run a command to its end; CommandError when it fails, KeyboardInterrupt after it has ended."""
        argv = [self.command, "--non-interactive", *args]
        engine = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, "PULUMI_AUTOMATION_API": "true", **additional_env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
        )
        out, err = _Reader(engine.stdout, on_output), _Reader(engine.stderr, on_error)
        was_interrupted = False
        while True:
            try:
                code = engine.wait()
                break
            except KeyboardInterrupt:
                if not was_interrupted:
                    self._interrupted()
                    engine.send_signal(signal.SIGINT)
                was_interrupted = True
        result = CommandResult(stdout=out.text(), stderr=err.text(), code=code)
        if was_interrupted:
            raise KeyboardInterrupt
        if code != 0:
            raise create_command_error(result)
        return result


def version_of(tools: Tools) -> VersionInfo:
    """The engine's version; StackError when it does not start, or is of another major version."""
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        argv = [str(tools.engine), "version"]
        done = subprocess.run(
            argv, capture_output=True, text=True, env=env, timeout=VERSION_TIMEOUT_S, check=True
        )
        found = VersionInfo.parse(done.stdout.strip().removeprefix("v"))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise StackError(f"{tools.engine} does not tell its version: {said}") from error
    if found.major != MAJOR:
        raise StackError(f"{tools.engine} is Pulumi {found}; this release works with {MAJOR}.x")
    return found


def host_version(tools: Tools) -> str:
    """The release of a language host, by its own word; '' for ours, which is of no release.

    StackError when it does not say.
    """
    if tools.is_stand_in:
        return ""
    host = subprocess.Popen(
        [str(tools.host), "127.0.0.1:1"],  # an engine that it is not to reach
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert host.stdout is not None
    too_late = Timer(VERSION_TIMEOUT_S, host.kill)
    too_late.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{int(host.stdout.readline())}") as channel:
            stub = language_pb2_grpc.LanguageRuntimeStub(channel)
            return str(stub.GetPluginInfo(empty_pb2.Empty(), timeout=VERSION_TIMEOUT_S).version)
    except (grpc.RpcError, ValueError) as error:
        raise StackError(f"{tools.host} does not tell its version; hint: install Pulumi anew") from error
    finally:
        too_late.cancel()
        host.kill()
        host.communicate()


class _Reader(Thread):
    """Takes a stream's lines as they come."""

    def __init__(self, stream: IO[str] | None, told: Line | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream, self._told, self._lines = stream, told, list[str]()
        self.start()

    @override
    def run(self) -> None:
        for line in self._stream:
            self._lines.append(line.rstrip())
            if self._told is not None:
                self._told(line.rstrip())

    def text(self) -> str:
        """All of it; a child that was left behind may hold the stream open, and is not waited for."""
        self.join(timeout=5.0)
        return "\n".join(self._lines)
