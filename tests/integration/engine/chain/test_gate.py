"""The host's egress filter: what is closed stays out, also what the kernel held when it closed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.host import egress_filter as gate
from lab.process import own_mounts
from tests.support import needs

HERE = "tests.integration.engine.chain"
HOW = ("drop", "gate", "stopped")
IDLE = """
import json, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
def gate(*arguments):
    argv = [sys.executable, "-m", "engine.host.egress_filter", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True)
    return {"exit": done.returncode, **json.loads(done.stdout or "{}")}
def ends(peer):
    try:
        return peer.recv(1).decode() or "end"
    except OSError as error:
        return type(error).__name__
server = socket.create_server(("127.0.0.1", 0))
to = "127.0.0.1:%d" % server.getsockname()[1]
client, (accepted, _) = socket.create_connection(server.getsockname()), server.accept()
other = socket.create_server(("127.0.0.1", 0))
seen = {"status": gate("status"), "closed": gate("close", "--to", to), "client": ends(client)}
seen |= {"gateway": ends(accepted), "again": gate("close", "--to", to), "while": gate("status")}
for name, peer in (("to_it", server), ("to_another", other)):
    try:
        socket.create_connection(peer.getsockname(), timeout=5).close()
        seen[name] = "connected"
    except OSError as error:
        seen[name] = type(error).__name__
seen |= {"unproven": gate("open"), "opened": gate("open", "--force", "test"), "after": gate("status")}
socket.create_connection(server.getsockname(), timeout=5).close()
print(json.dumps(seen))
"""
# An ss whose kernel cannot destroy: it lists one socket, whatever it is asked.
POWERLESS_SS = "#!/bin/sh\necho 'ESTAB 0 0 127.0.0.1:1 127.0.0.1:7001'\n"


def alone(*argv: str) -> list[str]:
    """A command in a network and a mount namespace of its own."""
    return [*own_mounts(), "--net", *argv]


@pytest.mark.engine
@needs.programs("nft", "ss", "ip")
def test_closing_destroys_idle_sockets_tells_both_ends_and_refuses_new_ones() -> None:
    done = subprocess.run(
        alone(sys.executable, "-c", IDLE), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["status"] == {"exit": 0, "closed": False}
    assert seen["closed"] == {"exit": 0, "closed": True, "destroyed": 1, "left": 0, "signalled": None}
    assert (seen["client"], seen["gateway"]) == ("ConnectionAbortedError", "ConnectionResetError")
    assert seen["again"]["exit"] == 0 and seen["again"]["destroyed"] == 0, "closing twice is closing"
    assert seen["while"] == {"exit": 69, "closed": True}
    assert (seen["to_it"], seen["to_another"]) == ("ConnectionRefusedError", "connected")
    assert seen["unproven"] == {"exit": 64}, "nobody said that the engine cannot trade"
    assert seen["opened"]["exit"] == 0 and seen["after"] == {"exit": 0, "closed": False}


@pytest.mark.parametrize("to", ["10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "host:7001", "::1:7001"])
def test_an_address_that_is_none_is_refused_before_anything_is_touched(
    to: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert gate.main(["close", "--to", to]) == 64
    assert "IPV4:PORT" in capsys.readouterr().err


def test_missing_programs_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert gate.main(["close", "--to", "10.0.0.1:7001"]) == 75
    assert capsys.readouterr().err == "gate: nft is not installed\n"


def test_a_socket_that_the_kernel_does_not_destroy_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("nft", "#!/bin/sh\ncat >/dev/null\n"), ("ss", POWERLESS_SS)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gate, "LEFT_PATIENCE_S", 0.1)
    assert gate.main(["close", "--to", "127.0.0.1:7001"]) == 69
    said = capsys.readouterr()
    assert json.loads(said.out)["left"] == 1 and "CONFIG_INET_DIAG_DESTROY" in said.err


def test_help_says_what_it_needs_and_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["--help"]) == 0
    told = capsys.readouterr().out
    for word in ("CONFIG_INET_DIAG_DESTROY", "root", "reboot", "Exit codes"):
        assert word in told


def seen_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, output + errors
    return dict(json.loads(output.splitlines()[-1]))


@pytest.mark.engine
@needs.programs("nft", "ss", "ip")
def test_a_lifted_drop_lets_the_order_through_and_a_lifted_gate_does_not(native: Path) -> None:
    """Three engines on hosts of their own, each watched for 30 s behind the lifted filter, side by side."""
    started = {
        how: subprocess.Popen(
            alone(sys.executable, "-m", f"{HERE}.gated", str(native), how),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for how in HOW
    }  # fmt: skip
    seen = {how: seen_by(process) for how, process in started.items()}
    drop, gated, stopped = (seen[how] for how in HOW)
    assert drop["before"] == [1] and drop["after"] == [1, 2], "TCP sent it again"
    assert gated["before"] == gated["while_closed"] == gated["after"] == [1], (
        "the same order, behind the gate"
    )
    assert gated["closed"]["exit"] == 0 and gated["closed"]["left"] == 0 and gated["signalled_it"]
    assert stopped["went_on"] == "ACTIVE", "nothing but the gate was in its way"
    assert stopped["before"] == stopped["while_closed"] == stopped["after"]
    for refused in ("opened_while_stopped", "opened_while_active"):
        assert stopped[refused]["exit"] == 69
    for found in (gated, stopped):
        assert found["opened"]["exit"] == 0
        assert (found["state"], found["open"]) == ("HALTED", 0), "and what was open is cancelled"
