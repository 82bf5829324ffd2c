"""A kill kills however it is written; what was odd is noted, and clearing one kill leaves every other."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest

from tests.support.engine.gateway import Gateway
from tests.support.waiting import until


def said(gateway: Gateway, *pieces: bytes) -> list[dict[str, Any]]:
    """Answers to bytes on one connection, which is closed for writing behind them."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(str(gateway.admin))
        try:
            for piece in pieces:
                link.sendall(piece)
            link.shutdown(socket.SHUT_WR)
        except OSError:
            return []  # it hung up on a line that is too long
        with link.makefile("rb") as lines:
            return [json.loads(line) for line in lines]


def latches(gateway: Gateway) -> list[dict[str, Any]]:
    return list(gateway.verb("status")["latch"]["entries"])


# What is sent, and the scope it latches.
WORDS: dict[str, tuple[bytes, str]] = {
    "Latin-1": (b'{"verb":"latch","scope":"account","id":"ACC1","reason":"fl\xfcchtig"}\n', "account"),
    "no reason": (b'{"verb":"latch","scope":"site"}\n', "site"),
    "a blank reason": (b'{"verb":"latch","scope":"site","reason":" \\t"}\n', "site"),
    "a reason that is no text": (b'{"verb":"latch","scope":"account","id":"ACC1","reason":7}\n', "account"),
    "70 kB of reason": (b'{"verb":"latch","scope":"site","reason":"' + b"x" * 70_000 + b'"}\n', "site"),
    "2 MB of reason": (b'{"reason":"' + b"x" * 2_000_000 + b'","verb":"latch","scope":"site"}\n', "site"),
    "no scope": (b'{"verb":"latch","reason":"r"}\n', "site"),
    "an unknown scope": (b'{"verb":"latch","scope":"planet","reason":"r"}\n', "site"),
    "an unknown account": (b'{"verb":"latch","scope":"account","id":"ACC9","reason":"r"}\n', "site"),
    "an unknown strategy": (b'{"verb":"latch","scope":"strategy","id":"nope","reason":"r"}\n', "site"),
    "an engine without a name": (b'{"verb":"latch","scope":"engine","id":"","reason":"r"}\n', "site"),
    "an engine of 65 letters": (b'{"verb":"latch","scope":"engine","id":"' + b"e" * 65 + b'"}\n', "site"),
    "a strategy": (b'{"verb":"latch","scope":"strategy","id":"imbalance","reason":"r"}\n', "strategy"),
    "no JSON": (b'{"verb": "latch", "scope": "account", \n', "site"),
    "a list": (b'[{"verb":"latch"}]\n', "site"),
    "the verb twice": (b'{"verb":"latch","verb":"status"}\n', "site"),
    "no end of line": (b'{"verb":"latch","scope":"site","reason":"r"}', "site"),
    "deep": (b'{"verb":"latch","reason":' + b"[" * 5000 + b"\n", "site"),
}


@pytest.mark.parametrize(("line", "scope"), WORDS.values(), ids=WORDS)
def test_a_kill_that_can_be_recognised_kills(gateway: Gateway, line: bytes, scope: str) -> None:
    said(gateway, line)
    until(lambda: latches(gateway))
    (entry,) = latches(gateway)
    assert entry["scope"] == scope
    assert f"uid {os.getuid()}, process {os.getpid()}" in entry["by"]
    assert entry["reason"].strip() and len(entry["reason"]) <= 160
    gateway.kill()
    gateway.start()
    again = latches(gateway)
    assert [(one["scope"], one["id"], one["by"]) for one in again] == [(scope, entry["id"], entry["by"])]
    assert gateway.unlatch()["ok"] and not latches(gateway)


def test_what_only_speaks_of_a_kill_is_none(gateway: Gateway) -> None:
    quoted = json.dumps({"verb": "status", "reason": '"verb":"latch"'}).encode() + b"\n"
    assert said(gateway, quoted, b'{"verb":"latches"}\n', b"latch\n")
    assert not latches(gateway)


def test_a_kill_behind_a_request_that_waits_is_done_at_once(gateway: Gateway) -> None:
    """A signature is being checked, which may take twenty seconds."""
    fence = json.dumps({"verb": "fence", "epoch": 9, "holder": "", "approved": [], "signature": "x"}).encode()
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(str(gateway.admin))
        link.sendall(fence + b"\n")
        link.sendall(b'{"verb":"latch","scope":"site","reason":"now"}\n')
        with link.makefile("rb") as lines:
            assert [json.loads(lines.readline())["ok"] for _ in range(2)] == [False, True]
    assert [entry["reason"] for entry in latches(gateway)] == ["now"]


def test_clearing_a_kill_leaves_every_other(gateway: Gateway) -> None:
    mine = gateway.verb("latch", scope="account", id="ACC1", reason="mine")["number"]
    hers = gateway.verb("latch", scope="account", id="ACC1", reason="hers")["number"]
    gateway.verb("latch", scope="site", reason="the venue asked")
    assert gateway.verb("unlatch", operator="alice", reason="cleared ACC1")["code"] == "latch_unnamed"
    assert gateway.unlatch(mine, 99)["code"] == "latch_unknown"
    assert gateway.unlatch(mine)["still_latched"] == 2
    assert [entry["number"] for entry in latches(gateway)] == [hers, hers + 1]
    gateway.kill()
    gateway.start()
    assert [entry["reason"] for entry in latches(gateway)] == ["hers", "the venue asked"]


@pytest.mark.parametrize("blank", ["", " ", "\t", "--", "\u00a0", "\u200b"])
def test_a_clearing_names_somebody_and_says_why(gateway: Gateway, blank: str) -> None:
    gateway.verb("latch", scope="site", reason="r")
    assert gateway.unlatch(operator=blank)["code"] == "operator_missing"
    assert gateway.unlatch(reason=blank)["code"] == "operator_missing"
    assert latches(gateway)
