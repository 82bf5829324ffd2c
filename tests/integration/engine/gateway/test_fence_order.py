"""A fence is durable before its answer, and nothing else stands before that, as the kernel saw it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.ticket.epoch import FileEpochSource
from tests.support import needs
from tests.support.commands import called
from tests.support.engine.engine_peer import ready_engine
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.tickets import Keys, make_keys
from tests.support.waiting import until

from .venue_peer import VenuePeer

ORDERS = 120
CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return make_keys(tmp_path, "eng-1")


@pytest.fixture
def traced(program: Path, venue: VenuePeer, tmp_path: Path, keys: Keys) -> Iterator[Gateway]:
    """A gateway that checks signatures, with every call that it makes in `calls`."""
    config = write_config(tmp_path, venue.port, authority_signers=str(keys.authority_signers))
    wrap = ("strace", "-D", "-f", "-y", "-s", "64", "-o", str(tmp_path / "calls"))
    running = Gateway(program, config, "--test", wrap=wrap).start()
    running.wait_ready()
    yield running
    running.kill()


def calls_of(path: Path) -> list[tuple[str, str]]:
    """Every call but those for memory, in the order of the kernel."""
    found = [CALL.match(line) for line in path.read_text(errors="replace").splitlines()]
    calls = [(match["name"], match["arguments"]) for match in found if match]
    return [call for call in calls if call[0] not in ("brk", "mmap", "munmap", "futex")]


def between(calls: list[tuple[str, str]], begin: str, end: str) -> list[tuple[str, str]]:
    """From the first call whose arguments hold BEGIN to the first behind it that hold END."""
    first = next(at for at, call in enumerate(calls) if begin in call[1])
    last = next(at for at, call in enumerate(calls) if at > first and end in call[1])
    return calls[first : last + 1]


@needs.programs("strace")
def test_only_one_write_and_one_sync_stand_between_a_signed_fence_and_its_answer(
    traced: Gateway, venue: VenuePeer, tmp_path: Path, keys: Keys
) -> None:
    engine = ready_engine(traced.port, 1)
    for sequence in range(1, ORDERS + 1):
        engine.order(sequence)
    assert venue.wait_for("accepted", ORDERS)
    source = FileEpochSource(path=tmp_path / "epoch.json", key=keys.authority)
    first = source.advance(0, "eng-1/a", ())
    assert traced.verb("fence", **first.message())["code"] == "epoch_taken", "the claim has that epoch"
    fence = source.advance(1, "eng-1/b", ())
    answer = traced.verb("fence", **fence.message())
    assert answer["ok"] and answer["accounts"]["ACC1"]["open"] == ORDERS
    assert venue.wait_for("canceled", ORDERS)
    calls = calls_of(tmp_path / "calls")
    around = between(calls, r"\"epoch\": 2", r"{\"accounts\":")
    assert [name for name, _ in around] == ["recvfrom", "pwrite64", "fdatasync", "sendto"], around
    assert all("fence.block" in arguments for _, arguments in around[1:3])
    behind = calls[calls.index(around[-1]) + 1 :]
    cancelled = [name for name, arguments in behind if name == "sendto" and r"\0\nUX" in arguments]
    assert len(cancelled) == ORDERS, "the cancels come behind the answer"
    assert not [name for name, _ in calls if name in ("fork", "vfork", "execve")][1:], "no child was started"


def test_the_answer_says_where_each_account_stands_and_the_orders_come_in_pages(
    gateway: Gateway, venue: VenuePeer
) -> None:
    engine = ready_engine(gateway.port, 1)
    urn, order_id = [engine.order(sequence) for sequence in range(1, 1202)][-1]
    assert venue.wait_for("accepted", 1201)
    venue.fill(1, 40)
    until(lambda: gateway.verb("status")["accounts"]["ACC1"]["position"] == {"AAPL": 40})
    answer = gateway.fence(2)
    account = answer["accounts"]["ACC1"]
    assert (account["open"], account["position"], account["last_urn"]) == (1201, {"AAPL": 40}, urn)
    assert account["last_clordid"] == order_id.strip()
    assert answer["latch"] == {"clear": True, "durable": True, "entries": 0}
    assert len(str(answer)) < 2000, "no list in the answer"
    until(lambda: gateway.verb("status")["accounts"]["ACC1"]["open"] == 0)
    assert gateway.verb("orders", account="ACC1")["orders"] == [], "all of them are cancelled"
    seen, after, pages = [], 0, 0
    while after is not None:
        page = gateway.verb("orders", account="ACC1", at="fence", after=after)
        seen += [(order["urn"], order["quantity"]) for order in page["orders"]]
        after, pages = page["next"], pages + 1
    assert seen == [(1, 60), *((number, 100) for number in range(2, 1202))] and pages == 3
    assert gateway.fence(2)["ok"] and gateway.verb("orders", account="ACC1", at="fence")["left"] == 1201
    assert gateway.verb("orders", account="other")["code"] == "account_unknown"


def test_a_fence_that_was_decided_on_another_epoch_changes_nothing(gateway: Gateway) -> None:
    assert gateway.fence(5, seen=0)["ok"]
    assert gateway.fence(5, seen=0)["ok"], "the same one again, as after a lost answer"
    assert gateway.fence(7, seen=4)["code"] == "epoch_moved"
    assert gateway.fence(7, seen="5")["code"] == "epoch_moved", "what cannot be read is not what is here"
    assert gateway.verb("status")["epoch"]["highest"] == 5
    assert gateway.fence(7, seen=5)["ok"]


def test_a_state_of_an_earlier_release_moves_into_the_block_once(gateway: Gateway, tmp_path: Path) -> None:
    gateway.kill()
    block, before = tmp_path / "state" / "fence.block", tmp_path / "state" / "fence.json"
    block.unlink()
    before.write_text(
        '{"fence":{"approved":[],"epoch":9,"holder":"h/a"},"limits_digest":"","limits_serial":4}\n'
    )
    gateway.start()
    status = gateway.verb("status")
    assert (status["epoch"]["highest"], status["epoch"]["holder"]) == (9, "h/a")
    assert status["limits"]["serial"] == 4 and not before.exists(), "it is not believed a second time"
    gateway.kill()
    block.unlink()
    with pytest.raises(RuntimeError, match="exit 64"):
        gateway.start()


@pytest.mark.parametrize("signers", ["", "epoch ssh-rsa AAAA\n", "*  ssh-ed25519 AAAA\n"])
def test_an_authority_whose_fences_could_not_be_checked_at_once_does_not_start(
    program: Path, tmp_path: Path, signers: str
) -> None:
    (tmp_path / "signers").write_text(signers)
    config = write_config(tmp_path, 1, authority_signers=str(tmp_path / "signers"))
    done = called(program, "--config", str(config), "--test")
    assert done.returncode == 64 and "ssh-ed25519 key of `epoch`" in done.stderr, done.stderr
