"""`hft failover kill` and `resume` where the state directory or the approvers stand in the way."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from engine.ticket import signing
from hft import run_log
from hft.errors import Exit, HftError
from hft.runbooks.cluster import Cluster
from hft.verbs.failover_resume import NAMESPACE, persons_behind
from inventory.sshsig import SignatureError
from tests.integration.hft.conftest import pinned
from tests.support.hft_here import hft_here, own_state
from tests.support.keys import make_key

FILE = """
site = "ny4"
authority_key = "key"
[gateways.gw-1]
admin_socket = "{socket}"
[engines."eng-1/a"]
admin_socket = "/nobody"
host = "nobody-knows"
unit = "hft-engine-a.service"
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The verbs that a program at the gateway's socket was asked; it acknowledges each."""
    own_state(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failover.toml").write_text(FILE.format(socket=tmp_path / "admin"))
    verbs: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "admin"))
    listener.listen()

    def answer() -> None:
        with suppress(OSError):
            while True:
                link, _ = listener.accept()
                with link, link.makefile("rwb") as stream:
                    for line in stream:
                        verbs.append(json.loads(line)["verb"])
                        stream.write(b'{"ok": true, "durable": true, "number": 1}\n')
                        stream.flush()

    thread = Thread(target=answer, daemon=True)
    thread.start()
    yield verbs
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_kill_waits_for_no_record_and_for_no_inventory(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before: list[bool] = []

    def held(*_: object) -> str:
        before.append("latch" not in asked)
        raise HftError(Exit.BAD_INPUT, "another process has held it")

    monkeypatch.setattr(run_log, "append", held)
    said = hft_here(capsys, "failover", "kill", "--file", "failover.toml", "--wait", "0", "--json")
    assert before == [False], "the record stood before the kill"
    paths = {(one["kind"], one["name"]): one for one in json.loads(said.out)["paths"]}
    assert paths["gateway", "gw-1"]["acked"]
    assert not paths["signal", "eng-1/a"]["acked"] and "goes on without its record" in said.err


def test_one_key_is_no_two_persons_whatever_the_approvers_file_lets_it_speak_for(tmp_path: Path) -> None:
    plan = f"1.1.{'0' * 64}"
    keys = {name: make_key(tmp_path / name) for name in ("one", "two")}
    signers = tmp_path / "approvers"
    lines = [signing.allowed_signer("*", key.with_suffix(".pub"), NAMESPACE) for key in keys.values()]
    signers.write_text("".join(lines))

    def by(person: str, key: str) -> Path:
        path = tmp_path / f"{person.encode().hex()}-{key}.json"
        signature = signing.sign(plan.encode(), keys[key], NAMESPACE)
        path.write_text(json.dumps({"schema": 1, "plan": plan, "person": person, "signature": signature}))
        return path

    cluster = Cluster(
        path=tmp_path, site="ny4", authority_key=tmp_path, gateways=(), residues={}, engines=(), approved={},
        approvers=signers,
    )  # fmt: skip
    assert persons_behind(cluster, (by("alice", "one"), by("bob", "two")), plan).is_enough
    with pytest.raises(HftError, match=r"1 of 2 persons.*a key counts once"):
        persons_behind(cluster, (by("alice", "one"), by("bob", "one")), plan)
    with pytest.raises(HftError, match="no approval"):
        persons_behind(cluster, (by("a\0b", "one"), by("bob", "two")), plan)
    signers.chmod(0o664)
    with pytest.raises(SignatureError, match="others may write it"):
        persons_behind(cluster, (by("alice", "one"), by("bob", "two")), plan)


def test_a_kill_reaches_gateway_and_engine_over_ssh(
    asked: list[str], loopback: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = tmp_path / "admin"
    text = FILE.format(socket=admin).replace('admin_socket = "/nobody"', f'admin_socket = "{admin}"')
    text = text.replace("nobody-knows", "e1").replace("[engines", 'host = "e1"\n[engines')
    (tmp_path / "failover.toml").write_text(text)
    words = ("--file", "failover.toml", "--inventory", pinned(loopback).inventory, "--deadline", "20")
    said = hft_here(capsys, "failover", "kill", *words, "--wait", "0", "--reason", "drill", "--json")
    paths = {(one["kind"], one["name"]): one for one in json.loads(said.out)["paths"]}
    assert paths["gateway", "gw-1"]["acked"] and paths["engine", "eng-1/a"]["acked"], said
    assert {"latch", "kill"} <= set(asked)
