"""What ptp4l answers by its socket: bytes of IEEE 1588, a fault in each, no offset without a grandmaster."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collect import ptp
from agent.collect.sample import UnreadError

IDENTITY = bytes.fromhex("ba9ee4fffe145f05")


def answers(*, offset: int = -471, ingress: int = 1, gm: int = 1, state: int = 9) -> Mapping[int, bytes]:
    status = struct.pack(">qqiiHHQHi8s", offset, ingress, 0, 0, 0, 0, 0, 0, gm, IDENTITY)
    current = struct.pack(">Hqq", 1, offset << 16, 2104 << 16)
    port = struct.pack(">8sHBbq", IDENTITY, 1, state, 0, 0)
    return {ptp.TIME_STATUS_NP: status, ptp.CURRENT_DATA_SET: current, ptp.PORT_DATA_SET: port}


def told(found: Mapping[int, bytes]) -> dict[str, float]:
    return {one.name: one.value for one in ptp.of_answers(found)}


def response(data: bytes, identifier: int = ptp.TIME_STATUS_NP, sequence: int = 3) -> bytes:
    """A GET turned into its answer."""
    asked = bytearray(ptp.get(24, identifier, sequence))
    asked[ptp.HEADER.size + 12] = ptp.RESPONSE
    struct.pack_into(">H", asked, ptp.HEADER.size + 16, 2 + len(data))
    return bytes(asked) + data


def test_a_clock_that_follows_tells_its_offset_and_its_way() -> None:
    assert told(answers()) == {
        "hft_ptp_following": 1,
        "hft_ptp_offset_seconds": -471e-9,
        "hft_ptp_path_delay_seconds": 2104e-9,
    }


@pytest.mark.parametrize("fault", [{"gm": 0}, {"ingress": 0}, {"state": 4}, {"state": 6}])
def test_one_that_follows_nobody_tells_no_offset(fault: dict[str, int]) -> None:
    assert told(answers(**fault)) == {"hft_ptp_following": 0}


@pytest.mark.parametrize("identifier", answers())
def test_a_data_set_that_is_cut_off_is_unread(identifier: int) -> None:
    found = answers()
    with pytest.raises(UnreadError, match="cut off"):
        told({**found, identifier: found[identifier][:9]})


def test_a_request_is_as_the_standard_has_it() -> None:
    asked = ptp.get(24, ptp.TIME_STATUS_NP, 7)
    assert len(asked) == 54 and asked[:5] == bytes((0x0D, 2, 0, 54, 24))
    assert asked[30:34] == bytes((0, 7, 4, 0x7F)) and asked[34:44] == b"\xff" * 10
    assert asked[46] == ptp.GET and asked[48:] == bytes((0, 1, 0, 2, 0xC0, 0))


def test_only_the_answer_to_this_question_is_one() -> None:
    data = answers()[ptp.TIME_STATUS_NP]
    whole = response(data)
    assert ptp.answered(whole, ptp.TIME_STATUS_NP, 3) == data
    assert ptp.answered(whole, ptp.TIME_STATUS_NP, 4) is None
    assert ptp.answered(whole, ptp.CURRENT_DATA_SET, 3) is None
    assert ptp.answered(ptp.get(24, ptp.TIME_STATUS_NP, 3), ptp.TIME_STATUS_NP, 3) is None, "no response"
    assert all(ptp.answered(whole[:size], ptp.TIME_STATUS_NP, 3) is None for size in range(len(whole)))


@given(st.binary(max_size=120))
def test_no_bytes_are_more_than_an_answer_or_none(data: bytes) -> None:
    found = ptp.answered(data, ptp.TIME_STATUS_NP, 1)
    assert found is None or len(found) <= len(data)
