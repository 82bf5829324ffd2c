"""The generator and the relay together on loopback: each trigger answered, counts add up, late is late.

No figure in microseconds is asserted: this runs beside other tests. What is asserted is what must hold on any
machine, the coordinated-omission case above all: a stall of the program under test shows in the latencies.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from bench.engine.load_report import Run, parse_run
from tests.support.engine.venue import enter
from tests.support.ports import free_ports

PATIENCE_S = 20


@contextmanager
def program(*argv: str | Path) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def run_pair(
    native: Path, out: Path, *options: str, stall_s: float = 0
) -> tuple[Run, dict[str, Any], dict[str, Any]]:
    """One run of hft-load against hft-relay; the parsed run, the raw file, the relay's own counts."""
    lines = ",".join(f"127.0.0.1:{port}" for port in free_ports(2, socket.SOCK_DGRAM))
    load: list[str | Path] = [
        native / "bin" / "hft-load",
        "--lines",
        lines,
        "--out",
        out,
        "--settle-ms",
        "50",
        "--grace-ms",
        "200",
        *options,
    ]
    with program(*load) as generator:
        assert generator.stdout is not None
        port = json.loads(generator.stdout.readline())["order_port"]
        with program(native / "bin" / "hft-relay", "--lines", lines, "--to", f"127.0.0.1:{port}") as relay:
            if stall_s:
                time.sleep(0.5)
                os.kill(relay.pid, signal.SIGSTOP)
                time.sleep(stall_s)
                os.kill(relay.pid, signal.SIGCONT)
            _, complaint = generator.communicate(timeout=PATIENCE_S)
            assert generator.returncode == 0, complaint
            counts, complaint = relay.communicate(timeout=PATIENCE_S)
            assert relay.returncode == 0, complaint
    text = out.read_text()
    return parse_run(text), json.loads(text), json.loads(counts)


def test_pure_parts_of_the_generator_hold(native: Path) -> None:
    done = subprocess.run([native / "tests" / "load_test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "[  PASSED  ] 14 tests." in done.stdout


@pytest.mark.parametrize("stamp", ["user", "kernel"])
def test_every_trigger_is_answered_once_and_the_counts_add_up(
    native: Path, tmp_path: Path, stamp: str
) -> None:
    run, raw, relay = run_pair(
        native, tmp_path / "run.json", "--triggers", "600", "--rate", "1000", "--warmup", "100",
        "--stamp", stamp, "--label", "relay",
    )  # fmt: skip
    assert (run.matched, run.missing, run.unmatched, run.repeated) == (500, 0, 0, 0)
    assert run.latency.total == 500
    assert raw["orders"]["received"] == raw["orders"]["answered"] == 600
    sent = {name: raw["sent"][name] for name in ("datagrams", "messages", "failed")}
    assert sent == {"datagrams": 1200, "messages": 2400, "failed": 0}
    assert 0 < raw["sent"]["largest_bytes"] <= 1400
    assert (relay["triggers"], relay["repeats"]) == (600, 600)
    assert relay["bytes_back"] >= 600 * (3 + 64 + 3 + 36)
    assert run.receiver_drops == run.rerequests == 0
    assert run.duration_ns >= 0.599e9, "the last datagram is due half a millisecond before the end"


def test_stall_of_the_program_under_test_shows_in_the_latencies(native: Path, tmp_path: Path) -> None:
    """A closed loop would have paused with it and reported one slow answer; here each missed one is slow."""
    run, raw, _ = run_pair(
        native, tmp_path / "run.json", "--triggers", "1000", "--rate", "500", "--warmup", "0", stall_s=0.4
    )
    assert run.missing == 0
    assert run.latency.max_ns >= 0.35e9
    assert run.latency.at_share(0.90) >= 0.1e9, (
        "200 of 1,000 triggers fell into the stall, half of them for 0.2 s"
    )
    assert raw["backlog_ns"]["total"] == 1000


def test_nothing_begins_before_the_word_to_go_and_the_warm_up_ends_with_a_rest(
    native: Path, tmp_path: Path
) -> None:
    lines = ",".join(f"127.0.0.1:{port}" for port in free_ports(2, socket.SOCK_DGRAM))
    out = tmp_path / "run.json"
    argv: list[str | Path] = [
        native / "bin" / "hft-load", "--lines", lines, "--out", out, "--go", "--settle-ms", "10",
        "--triggers", "60", "--warmup", "20", "--rate", "200", "--rest-ms", "400",
    ]  # fmt: skip
    with program(*argv) as generator:
        assert generator.stdout is not None and generator.stdin is not None
        port = json.loads(generator.stdout.readline())["order_port"]
        with program(native / "bin" / "hft-relay", "--lines", lines, "--to", f"127.0.0.1:{port}") as relay:
            time.sleep(0.5)  # logged in for long
            assert generator.poll() is None and not out.exists()
            generator.stdin.write("\n")
            generator.stdin.flush()
            assert json.loads(generator.stdout.readline()) == {"warm": True}
            generator.communicate(timeout=PATIENCE_S)
            relay.communicate(timeout=PATIENCE_S)
    run = parse_run(out.read_text())
    assert (run.matched, run.missing) == (40, 0)
    assert run.duration_ns >= 60 / 200 * 1e9 + 0.39e9


def test_generator_that_will_never_be_told_to_go_ends(native: Path, tmp_path: Path) -> None:
    argv: list[str | Path] = [
        native / "bin" / "hft-load",
        "--lines",
        "127.0.0.1:9",
        "--out",
        tmp_path / "x",
        "--go",
    ]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, "word to go" in done.stderr) == (75, True)


def test_noise_of_a_whole_market_goes_out_beside_the_triggers(native: Path, tmp_path: Path) -> None:
    run, raw, relay = run_pair(
        native, tmp_path / "run.json", "--triggers", "200", "--rate", "400", "--warmup", "0",
        "--trigger-symbols", "4", "--noise-symbols", "100", "--noise-rate", "20000",
        "--noise-per-datagram", "20", "--noise-live", "500", "--idle", "yield", "--cpu", "0",
    )  # fmt: skip
    assert (run.matched, run.missing) == (200, 0)
    assert raw["sent"]["messages"] == pytest.approx(200 * 4 + 10_000, rel=0.02)
    assert relay["datagrams"] >= 2 * raw["sent"]["datagrams"]


def test_datagrams_nobody_hears_are_missing_orders_not_silence(native: Path, tmp_path: Path) -> None:
    """The relay listens on another pair of ports: nothing comes back, and the file says so."""
    lines, deaf = (
        ",".join(f"127.0.0.1:{port}" for port in free_ports(2, socket.SOCK_DGRAM)) for _ in range(2)
    )
    out = tmp_path / "run.json"
    argv: list[str | Path] = [
        native / "bin" / "hft-load",
        "--lines",
        lines,
        "--out",
        out,
        "--settle-ms",
        "10",
        "--triggers",
        "50",
    ]
    with program(*argv, "--rate", "1000", "--warmup", "0") as generator:
        assert generator.stdout is not None
        port = json.loads(generator.stdout.readline())["order_port"]
        with program(native / "bin" / "hft-relay", "--lines", deaf, "--to", f"127.0.0.1:{port}"):
            generator.communicate(timeout=PATIENCE_S)
    run = parse_run(out.read_text())
    assert (run.missing, run.matched, run.receiver_drops) == (50, 0, None)
    assert "50 orders missing" in run.losses


def test_behind_the_link_each_kind_of_answer_is_counted_as_what_it_is(native: Path, tmp_path: Path) -> None:
    """A hand-made engine: HELLO and CLAIM, then one right, one double, one foreign, one missing answer."""
    out = tmp_path / "run.json"
    with ExitStack() as stack:
        feed = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        feed.bind(("127.0.0.1", 0))
        feed.settimeout(PATIENCE_S)
        line = f"127.0.0.1:{feed.getsockname()[1]}"
        argv: list[str | Path] = [
            native / "bin" / "hft-load",
            "--lines",
            line,
            "--out",
            out,
            "--link",
            "--settle-ms",
            "20",
            "--grace-ms",
            "100",
        ]
        generator = stack.enter_context(
            program(*argv, "--triggers", "4", "--rate", "20", "--warmup", "0", "--label", "engine")
        )
        assert generator.stdout is not None
        port = json.loads(generator.stdout.readline())["order_port"]
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
        answers = peer.makefile("rb")
        assert packet(answers)[0:1] == b"n"
        for letter, payload in ((b"h", b"{}"), (b"c", struct.pack(">Q", 1))):
            peer.sendall(struct.pack(">H", 1 + len(payload)) + letter + payload)
            assert json.loads(packet(answers)[1:])["next_urn"] == 1
        login = b"LENGINE" + b"secret".ljust(10) + b" " * 10 + b"1".rjust(20)
        peer.sendall(struct.pack(">H", len(login)) + login)
        assert packet(answers)[0:1] == b"A"
        assert packet(answers)[0:1] == b"m"  # the day so far is replayed
        for number in range(4):
            price = trigger_price(feed)
            for urn, at in {0: [(1, price)], 1: [(2, price), (3, price)], 2: [(4, price + 50)], 3: []}[
                number
            ]:
                order = b"U" + enter(urn, "B", 100, "TRG0", at)
                peer.sendall(struct.pack(">H", len(order)) + order)
        generator.communicate(timeout=PATIENCE_S)
        heard = [packet(answers) for _ in range(8)]
    run = parse_run(out.read_text())
    assert (run.matched, run.repeated, run.unmatched, run.missing) == (2, 1, 1, 2)
    assert [message[:2] for message in heard] == [b"SA", b"SE"] * 4


def packet(stream: BinaryIO) -> bytes:
    """One SoupBinTCP packet, type letter and payload, heartbeats skipped."""
    while True:
        (length,) = struct.unpack(">H", stream.read(2))
        if (body := stream.read(length)) != b"H":
            return body


def trigger_price(feed: socket.socket) -> int:
    """The price of the next order that tips the book: an Add alone in its datagram, tracking number not 0."""
    while True:
        datagram = feed.recv(2048)
        if len(datagram) == 58 and datagram[22:23] == b"A" and datagram[25:27] != b"\0\0":
            return int(struct.unpack_from(">I", datagram, 54)[0])


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["hft-load", "--lines", "nowhere", "--out", "x"], 64, "--lines"),
        (["hft-load", "--lines", "127.0.0.1:9", "--rate", "fast", "--out", "x"], 64, "--rate"),
        (["hft-load", "--lines", "127.0.0.1:9", "--triggers", "5", "--out", "x"], 64, "above warmup"),
        (["hft-load", "--lines", "127.0.0.1:9", "--idle", "nap", "--out", "x"], 64, "--idle"),
        (["hft-load", "--wat"], 64, "unknown option"),
        (["hft-relay", "--lines", "127.0.0.1:9"], 64, "--to"),
        (["hft-relay", "--lines", "127.0.0.1:0", "--to", "127.0.0.1:1"], 75, "connect"),
    ],
)
def test_wrong_options_are_named(native: Path, argv: list[str], code: int, words: str) -> None:
    done = subprocess.run([native / "bin" / argv[0], *argv[1:]], capture_output=True, text=True, check=False)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
