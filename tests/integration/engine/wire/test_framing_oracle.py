"""Our MoldUDP64 and SoupBinTCP framing beside two strangers: Debian's tshark, Nasdaq's `nasdaq-protocols`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from nasdaq_protocols import soup

from tests.integration.engine.wire.streams import TCP_PORT, UDP_PORT, messages_of, pcap, tcp, udp
from tests.support import needs

Itch = Callable[..., list[dict[str, Any]]]
ItchText = Callable[..., list[str]]
MESSAGES: list[soup.SoupMessage] = [
    soup.LoginRequest("user1", "secret", "DAY1", "42"),
    soup.LoginAccepted("DAY1", 42),
    soup.LoginRejected(soup.LoginRejectReason.NOT_AUTHORIZED),
    soup.SequencedData(bytes(range(64))),
    soup.UnSequencedData(b"O" + bytes(46)),
    soup.UnSequencedData(b""),
    soup.Debug("hello"),
    soup.ClientHeartbeat(),
    soup.ServerHeartbeat(),
    soup.LogoutRequest(),
    soup.EndOfSession(),
]
STREAM = b"".join(message.to_bytes()[1] for message in MESSAGES)


def tshark(path: Path, protocol: str, port: str, fields: Iterable[str]) -> list[list[list[str]]]:
    """For each packet, for each field, its values; tshark reads the capture with its own dissector."""
    needs.skip_without("tshark")  # part of set-up (scripts/packages-engine.txt)
    wanted = [word for field in fields for word in ("-e", field)]
    argv = [
        "tshark",
        "-n",
        "-r",
        str(path),
        "-d",
        f"{port},{protocol}",
        "-T",
        "fields",
        "-E",
        "aggregator=,",
        *wanted,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [
        [value.split(",") if value else [] for value in line.split("\t")] for line in done.stdout.splitlines()
    ]


def test_tshark_reads_our_datagrams_as_we_meant_them(itch: Itch, itch_text: ItchText, tmp_path: Path) -> None:
    path = tmp_path / "made.itch50"
    itch("generate", path, "--messages", 2000, "--live", 300)
    datagrams = [bytes.fromhex(line) for line in itch_text("mold", path, "--session", "DAY1")]
    capture = tmp_path / "feed.pcap"
    capture.write_bytes(pcap(map(udp, datagrams)))
    names = ("session", "sequence", "count", "msglen", "msgdata", "msglen.invalid", "count.invalid")
    read = tshark(capture, "moldudp64", f"udp.port=={UDP_PORT}", [f"moldudp64.{name}" for name in names])
    seen: list[bytes] = []
    for session, sequence, count, lengths, payloads, *invalid in read:
        assert session[0].strip() == "DAY1"
        assert int(sequence[0]) == len(seen) + 1
        assert invalid == [[], []]
        assert len(payloads) == (0 if int(count[0]) == 0xFFFF else int(count[0]))
        assert [len(payload) // 2 for payload in payloads] == [int(length) for length in lengths]
        seen += [bytes.fromhex(payload) for payload in payloads]
    assert int(read[-1][2][0]) == 0xFFFF
    assert seen == list(messages_of(path))


def test_our_reader_takes_our_datagrams_apart_again(itch: Itch, itch_text: ItchText, tmp_path: Path) -> None:
    path = tmp_path / "made.itch50"
    itch("generate", path, "--messages", 500, "--live", 100)
    packets = itch("unmold", lines_in="\n".join(itch_text("mold", path, "--bytes", 200)) + "\n")
    assert [bytes.fromhex(hexed) for packet in packets for hexed in packet["messages"]] == list(
        messages_of(path)
    )
    assert packets[-1]["end"] is True
    assert max(packet["count"] for packet in packets) > 1


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_we_read_the_stream_that_nasdaq_protocols_writes(piece: int, itch: Itch) -> None:
    *packets, end = itch("soup", "--piece", piece, lines_in=STREAM.hex() + "\n")
    assert end == {"unread": 0, "broken": False}
    assert [packet["type"] for packet in packets] == [message.Indicator for message in MESSAGES]
    assert [bytes.fromhex(packet["payload"]) for packet in packets] == [m.to_bytes()[1][3:] for m in MESSAGES]


def test_nasdaq_protocols_reads_the_logins_that_we_write(itch_text: ItchText) -> None:
    request, accepted = map(bytes.fromhex, itch_text("login", "user1", "secret", "DAY1", 42))
    assert soup.SoupMessage.from_bytes(request)[1] == soup.LoginRequest("user1", "secret", "DAY1", "42")
    assert soup.SoupMessage.from_bytes(accepted)[1] == soup.LoginAccepted("DAY1", 42)


def test_tshark_reads_the_logins_that_we_write(itch_text: ItchText, tmp_path: Path) -> None:
    """Its sequence fields hold a placeholder; that it takes them for numbers shows in empty `invalid`."""
    request, accepted = map(bytes.fromhex, itch_text("login", "user1", "secret", "DAY1", 42))
    capture = tmp_path / "login.pcap"
    capture.write_bytes(pcap([tcp(request, 1, from_server=False), tcp(accepted, 1, from_server=True)]))
    invalid = ("req_seq_num.invalid", "next_seq_num.invalid")
    names = ("packet_type", "packet_length", "username", "password", "session", *invalid)
    fields = [f"soupbintcp.{name}" for name in names]
    asked, answered = tshark(capture, "soupbintcp", f"tcp.port=={TCP_PORT}", fields)
    assert [value[0].strip() if value else "" for value in asked] == [
        "'L'",
        "47",
        "user1",
        "secret",
        "DAY1",
        "",
        "",
    ]
    assert [value[0].strip() if value else "" for value in answered] == ["'A'", "31", "", "", "DAY1", "", ""]


def test_tshark_would_notice_a_sequence_that_is_no_number(itch_text: ItchText, tmp_path: Path) -> None:
    accepted = bytes.fromhex(itch_text("login", "user1", "secret", "DAY1", 42)[1])
    capture = tmp_path / "login.pcap"
    capture.write_bytes(pcap([tcp(accepted.replace(b"42", b"4x"), 1, from_server=True)]))
    ((invalid,),) = tshark(
        capture, "soupbintcp", f"tcp.port=={TCP_PORT}", ["soupbintcp.next_seq_num.invalid"]
    )
    assert invalid


def test_a_length_of_zero_breaks_the_stream_and_is_said(itch: Itch) -> None:
    *packets, end = itch("soup", lines_in=(STREAM[:49] + b"\0\0" + STREAM).hex() + "\n")
    assert [packet["type"] for packet in packets] == ["L"]
    assert end["broken"] is True
