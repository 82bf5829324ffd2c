"""Market data through DPDK ports: the book that kernel sockets give, and nothing from damaged frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.conformance.feed import add_order, directory, packet
from engine.conformance.process import Engine
from engine.contract.manifest import Manifest
from tests.support.commands import output
from tests.support.engine.dpdk import NATIVE_BUILDS_NOW
from tests.support.waiting import until

from .frames import Defect, damaged, udp_frame
from .rig import PATIENCE_S, Rig, counter
from .wires import CABLES

NATIVE_BUILDS = NATIVE_BUILDS_NOW
pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
MESSAGES = 120_000
MARKET = {
    "kind": "synthetic", "autostart": False, "mix": "burst", "live": 20_000, "messages": MESSAGES,
    "messages_per_s": 60_000, "per_datagram": 20, "seed": 7,
}  # fmt: skip
STOCK = (1, "S0000")


def digest(engine: Engine) -> str:
    return str(engine.must("digest")["state_digest"])


def has_udp_socket(engine: Engine) -> bool:
    """Whether the process holds a UDP socket of its namespace."""
    table = Path(f"/proc/{engine.pid}/net/udp").read_text().splitlines()[1:]
    inodes = {line.split()[9] for line in table}
    held = (str(entry.readlink()) for entry in Path(f"/proc/{engine.pid}/fd").iterdir())
    return any(link.removeprefix("socket:[").removesuffix("]") in inodes for link in held)


def test_book_of_a_dpdk_engine_equals_that_of_a_kernel_engine(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    engines = [rig.start(rig.config(name, dpdk=name == "ports")) for name in ("ports", "sockets")]
    ports, sockets = engines
    venue = rig.venue(MARKET)
    assert venue.admin("start")["ok"]
    until(lambda: venue.admin("status")["source_done"], "the end of the market", PATIENCE_S)
    sent = venue.admin("status")
    for engine in engines:
        engine.wait_status(
            "the whole stream", lambda status: status["feed"]["next_sequence"] == sent["next_sequence"]
        )
    assert sent["next_sequence"] > MESSAGES
    assert digest(ports) == digest(sockets)
    for name in ("feed_messages_total", "feed_gaps_total", "feed_requests_total", "feed_rejected_total"):
        assert ports.metric(f"engine_{name}") == sockets.metric(f"engine_{name}")
    assert ports.metric("engine_feed_messages_total") == sent["next_sequence"] - 1
    assert ports.metric("engine_feed_requests_total") == 0
    for line in "AB":
        # Heartbeats are datagrams too and go on: at least what was published, and every frame accounted for.
        assert counter(ports, line, "datagrams_total") >= sent["lines"][line]["datagrams"]
        assert counter(ports, line, "missed_total") == counter(ports, line, "no_mbuf_total") == 0
        kinds = ("datagrams", "foreign", "malformed", "bad_checksum", "fragments", "igmp")
        assert_all_accounted_for(ports, line, kinds)
        assert counter(ports, line, "malformed_total") == counter(ports, line, "bad_checksum_total") == 0
        assert counter(sockets, line, "frames_total") == 0
    # The positive control of the next line: the other engine has its two sockets, this one none.
    assert has_udp_socket(sockets)
    assert not has_udp_socket(ports)


def assert_all_accounted_for(engine: Engine, line: str, kinds: tuple[str, ...]) -> None:
    """One copy of the page: counters of one moment add up."""
    entries = engine.page().entries
    prefix = f"engine_dpdk_{line.lower()}"
    parts = sum(entries[f"{prefix}_{kind}_total"].values[0] for kind in kinds)
    assert entries[f"{prefix}_frames_total"].values[0] == parts


def test_every_thread_of_the_dpdk_engine_is_in_its_manifest(
    make_rig: Callable[..., Rig], dpdk_programs: Path
) -> None:
    rig = make_rig()
    engine = rig.start(rig.config("ports", dpdk=True))
    manifest = Manifest.model_validate_json(output(str(dpdk_programs / "hft-engine"), "--manifest"))
    assert engine.threads() <= {thread.name for thread in manifest.threads}
    assert "eal-intr-thread" in engine.threads()
    assert manifest.nic.mode == "dpdk"


class Injector:
    """Whole frames onto the cables of an engine, and what it made of them."""

    def __init__(self, rig: Rig) -> None:
        self.engine = rig.start(rig.config("ports", dpdk=True))
        self.cables = CABLES
        self.senders = [rig.wires.sender(cable) for cable in CABLES]
        self.sequence = 1
        for sender in self.senders:
            rig.stack.callback(sender.close)

    def frame(self, messages: list[bytes], line: int = 0) -> bytes:
        """The packet that comes next in the session, clean."""
        return udp_frame(self.cables[line], packet(self.sequence, messages))

    def send(self, frame: bytes, line: int = 0, *, arrives: bool = True) -> None:
        seen = self.seen(line)
        self.senders[line].send(frame)
        if arrives:
            until(lambda: self.seen(line) > seen, f"frame {frame.hex()}")

    def seen(self, line: int) -> int:
        return counter(self.engine, "AB"[line], "frames_total")

    def counters(self) -> dict[str, int]:
        names = ("malformed", "bad_checksum", "fragments", "foreign", "datagrams")
        return {name: counter(self.engine, "A", f"{name}_total") for name in names}

    def take(self, messages: list[bytes]) -> None:
        """A clean packet must be taken, and moves the book."""
        before = digest(self.engine)
        self.send(self.frame(messages))
        self.sequence += len(messages)
        wanted = self.sequence
        self.engine.wait_status("a clean packet", lambda seen: seen["feed"]["next_sequence"] == wanted)
        assert digest(self.engine) != before


@pytest.fixture
def injector(make_rig: Callable[..., Rig]) -> Injector:
    injector = Injector(make_rig())
    injector.take([directory(*STOCK), add_order(STOCK, 1, "B", 100, 990_000)])
    return injector


def test_damaged_frames_change_nothing_and_are_counted_by_kind(injector: Injector) -> None:
    reference = 2
    for defect in Defect:
        clean = injector.frame([add_order(STOCK, reference, "B", 100, 980_000)])
        before, counts = digest(injector.engine), injector.counters()
        frames = damaged(clean, defect)
        assert frames, defect
        for frame in frames:
            injector.send(frame, arrives=defect.counted_as is not None)
        after = injector.counters()
        assert digest(injector.engine) == before, defect
        changed = {name: after[name] - counts[name] for name in after if after[name] != counts[name]}
        assert changed == ({defect.counted_as: len(frames)} if defect.counted_as else {}), defect
        # The positive control: the same packet without the defect is taken.
        injector.take([add_order(STOCK, reference, "B", 100, 980_000)])
        reference += 1


def test_a_clean_frame_of_the_other_line_or_another_group_is_not_taken(injector: Injector) -> None:
    before = digest(injector.engine)
    next_packet = packet(injector.sequence, [add_order(STOCK, 9, "B", 100, 980_000)])
    injector.send(udp_frame(CABLES[1], next_packet))
    assert digest(injector.engine) == before
    assert injector.counters()["foreign"] >= 1
    injector.send(udp_frame(CABLES[1], next_packet), line=1)
    wanted = injector.sequence + 1
    injector.engine.wait_status("line B", lambda seen: seen["feed"]["next_sequence"] == wanted)


def test_a_datagram_that_mold_refuses_changes_nothing(injector: Injector) -> None:
    before = digest(injector.engine)
    whole = packet(injector.sequence, [add_order(STOCK, 9, "B", 100, 980_000)])
    refused = injector.engine.metric("engine_feed_rejected_total")
    lies = [whole[:length] for length in range(1, len(whole))]
    for lie in lies:
        injector.send(udp_frame(CABLES[0], lie))
    assert digest(injector.engine) == before
    assert injector.engine.metric("engine_feed_rejected_total") - refused >= len(lies) - 1
    injector.take([add_order(STOCK, 9, "B", 100, 980_000)])
