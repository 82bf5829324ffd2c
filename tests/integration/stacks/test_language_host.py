"""The stand-in for the language host, held against the SDK's own script: arguments, environment, exit codes.

The host is the real process that the engine would start, its client speaks the SDK's own messages, and
programs are run by `pulumi-language-python-exec` as it lies in the sources of the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.waiting import until

pytestmark = [needs.stacks(), needs.stack_engine()]
pytest.importorskip("pulumi")

import grpc  # noqa: E402
from google.protobuf import empty_pb2  # noqa: E402
from pulumi.runtime.proto import language_pb2 as wire  # noqa: E402
from pulumi.runtime.proto import language_pb2_grpc  # noqa: E402

from stacks.runner.tools import HOST, environment, find_tools  # noqa: E402
from tests.support.stacks.monitor import Monitor, serving  # noqa: E402

PROGRAM = """
import json, os, sys
from pathlib import Path
import pulumi
settings = pulumi.runtime.config
seen = {"config": json.loads(os.environ["PULUMI_CONFIG"]), "is_secret": settings.is_config_secret("p:token"),
        "secret": pulumi.Config("p").get("plain"), "buffered": os.environ["PYTHONUNBUFFERED"],
        "stack": pulumi.get_stack(), "project": pulumi.get_project(), "cwd": os.getcwd(),
        "argv": sys.argv[1:],
        "organization": pulumi.get_organization(), "dry_run": pulumi.runtime.is_dry_run(),
        "root": pulumi.runtime.get_root_directory(), "ppid": os.getppid(), "pid": os.getpid()}
Path("seen.json").write_text(json.dumps(seen))
"""


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with serving() as served:
        yield served


@pytest.fixture
def host(tmp_path: Path, monitor: Monitor) -> Iterator[subprocess.Popen[str]]:
    """The host's process, as the engine starts it."""
    tools = find_tools("")
    env = {**os.environ, **environment(tools, tmp_path)}
    process = subprocess.Popen(
        [str(tools.host), monitor.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stub_of(host: subprocess.Popen[str]) -> Any:
    assert host.stdout is not None
    port = int(host.stdout.readline())
    return language_pb2_grpc.LanguageRuntimeStub(grpc.insecure_channel(f"127.0.0.1:{port}"))


def info_of(folder: Path) -> wire.ProgramInfo:
    return wire.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")


def request_of(folder: Path, monitor: Monitor, **more: Any) -> wire.RunRequest:
    return wire.RunRequest(
        project="p",
        stack="s",
        pwd=str(folder),
        program=".",
        monitor_address=monitor.address,
        organization="organization",
        parallel=4,
        info=info_of(folder),
        **more,
    )


def run(
    host: subprocess.Popen[str], folder: Path, monitor: Monitor, text: str, **more: Any
) -> wire.RunResponse:
    (folder / "__main__.py").write_text(text)
    answer: wire.RunResponse = stub_of(host).Run(request_of(folder, monitor, **more), timeout=60)
    return answer


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_program_sees_what_the_engine_said(
    host: subprocess.Popen[str], tmp_path: Path, monitor: Monitor, dry_run: bool
) -> None:
    config = {"p:plain": "a b", "p:token": "not for anybody"}
    more = {"config": config, "configSecretKeys": ["p:token"], "dryRun": dry_run, "args": ["one", "two"]}
    answer = run(host, tmp_path, monitor, PROGRAM, **more)
    assert (answer.error, answer.bail) == ("", False), monitor.logged
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen.pop("pid") != host.pid
    assert seen.pop("ppid") == host.pid
    assert seen == {
        "config": config,
        "stack": "s",
        "project": "p",
        "organization": "organization",
        "dry_run": dry_run,
        "cwd": str(tmp_path),
        "root": str(tmp_path),
        "secret": "a b",
        "argv": ["one", "two"],
        "is_secret": True,
        "buffered": "1",
    }
    assert monitor.registered == ["pulumi:pulumi:Stack"]


@pytest.mark.parametrize(
    ("text", "error", "bail"),
    [
        ("pass", "", False),
        ("raise ValueError('boom')", "", True),
        ("import pulumi\nraise pulumi.RunError('boom')", "the program ended with exit code 1", False),
        ("import os\nos._exit(7)", "the program ended with exit code 7", False),
        ("import os\nos.kill(os.getpid(), 9)", "the program ended with exit code -9", False),
    ],
)
def test_the_exit_code_of_a_program_is_told_as_the_script_means_it(  # noqa: PLR0917
    host: subprocess.Popen[str], tmp_path: Path, monitor: Monitor, text: str, error: str, bail: bool
) -> None:
    answer = run(host, tmp_path, monitor, text)
    assert (answer.error, answer.bail) == (error, bail), monitor.logged


def test_what_needs_no_answer_is_answered_empty(host: subprocess.Popen[str], tmp_path: Path) -> None:
    stub, info = stub_of(host), info_of(tmp_path)
    assert not stub.GetRequiredPackages(wire.GetRequiredPackagesRequest(info=info), timeout=30).packages
    assert not stub.GetRequiredPlugins(wire.GetRequiredPluginsRequest(info=info), timeout=30).plugins
    assert not stub.GetProgramDependencies(
        wire.GetProgramDependenciesRequest(info=info), timeout=30
    ).dependencies
    assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=30).version == ""
    assert list(stub.InstallDependencies(wire.InstallDependenciesRequest(info=info), timeout=30)) == []
    with pytest.raises(grpc.RpcError) as raised:
        stub.Pack(wire.PackRequest(), timeout=30)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_policy_pack_runs_and_its_first_line_is_its_port(
    host: subprocess.Popen[str], tmp_path: Path
) -> None:
    pack = ROOT / "tests/cases/stacks/pack"
    request = wire.RunPluginRequest(
        pwd=str(pack), program=str(pack), kind="analyzer", info=info_of(pack), args=["127.0.0.1:1"]
    )
    call = stub_of(host).RunPlugin(request, timeout=60)
    first = next(iter(call))
    assert int(first.stdout) > 0
    call.cancel()


def test_an_interrupt_ends_it_at_once(host: subprocess.Popen[str]) -> None:
    stub_of(host)
    began_s = time.monotonic()
    host.send_signal(signal.SIGINT)
    assert host.wait(timeout=30) == 0
    assert time.monotonic() - began_s < 5  # the engine would wait ten seconds for it in every run


def is_alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def gone(pid: int) -> Callable[[], bool]:
    return lambda: not is_alive(pid)


def test_a_program_ends_with_its_host(host: subprocess.Popen[str], tmp_path: Path, monitor: Monitor) -> None:
    (tmp_path / "__main__.py").write_text(PROGRAM + "import time\ntime.sleep(600)\n")
    _call = stub_of(host).Run.future(request_of(tmp_path, monitor), timeout=60)
    until((tmp_path / "seen.json").exists, patience_s=60)
    until(lambda: (tmp_path / "seen.json").read_text() != "")
    pid = json.loads((tmp_path / "seen.json").read_text())["pid"]
    assert is_alive(pid)
    host.kill()
    until(gone(pid))


def test_the_host_ends_with_the_engine(tmp_path: Path) -> None:
    tools = find_tools("")
    parent = subprocess.Popen(
        ["sh", "-c", f"{tools.host} 127.0.0.1:1 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment(tools, tmp_path)},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.stdout.readline()  # its port: it serves
    parent.kill()
    parent.wait()
    try:
        until(gone(pid))
    finally:
        parent.stdout.close()
    assert tools.host.name == HOST
