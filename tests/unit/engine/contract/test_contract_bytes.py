"""Bytes of the contract: canonical JSON, CRC32C against published vectors, journal, metrics page, link."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import journal, link, metrics
from engine.contract.canonical import canonical, digest
from engine.contract.journal import Record, crc32c, read_journal, record_bytes

SIZES = {"u16": 2, "u32": 4, "u64": 8, "i64": 8, "4 bytes": 4, "12 bytes": 12, "36 bytes": 36, "48 bytes": 48}


def test_canonical_bytes_are_sorted_dense_utf8() -> None:
    assert canonical({"b": [1, True, None], "a": "ü"}) == '{"a":"ü","b":[1,true,null]}'.encode()
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", [1.0, {"a": float("nan")}, 2**63, {1: 2}, b"x", [object()]])
def test_what_has_no_canonical_form_has_no_digest(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        digest(value)


# RFC 3720 appendix B.4, and the check value of the CRC catalogue.
@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_crc32c_gives_the_published_values(data: bytes, wanted: int) -> None:
    assert crc32c(data) == wanted


@settings(deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=64))
def test_crc32c_goes_on_from_its_seed(first: bytes, second: bytes) -> None:
    assert crc32c(second, crc32c(first)) == crc32c(first + second)


@pytest.mark.parametrize(
    ("fields", "packed"),
    [
        (journal.FIELDS, journal.HEADER),
        (metrics.HEADER_FIELDS, metrics.HEADER),
        (metrics.ENTRY_FIELDS, metrics.ENTRY),
    ],
)
def test_layout_tables_are_what_is_packed(
    fields: tuple[tuple[str, str, int, str], ...], packed: struct.Struct
) -> None:
    ends = [at + SIZES[type_] for _, type_, at, _ in fields]
    assert [at for _, _, at, _ in fields] == [0, *ends[:-1]]
    assert ends[-1] == packed.size


def chain(payloads: list[bytes]) -> list[bytes]:
    records, previous = [], 0
    for number, payload in enumerate(payloads, start=1):
        record = Record(
            version=1, kind=5, flags=journal.INPUT, epoch=0, input_seq=number, monotonic_ns=number,
            utc_ns=number,
            previous_crc=previous, crc32c=0, payload=payload,
        )  # fmt: skip
        data = record_bytes(record)
        previous = struct.unpack_from("<I", data, 52)[0]
        records.append(data)
    return records


def test_journal_reads_back_over_segments_and_preallocated_tails(tmp_path: Path) -> None:
    records = chain([b"one", b"", b"three" * 9])
    (tmp_path / "a.hftj").write_bytes(records[0] + records[1] + bytes(4096))
    (tmp_path / "b.hftj").write_bytes(records[2])
    found = read_journal(tmp_path)
    assert [record.payload for record in found.records] == [b"one", b"", b"three" * 9]
    assert (found.ended, found.segment, found.offset) == ("", "b.hftj", len(records[2]))


def test_journal_ends_at_the_last_whole_record_wherever_it_is_cut(tmp_path: Path) -> None:
    records = chain([b"one", b"second", b"3"])
    whole, ends = b"".join(records), [0]
    for record in records:
        ends.append(ends[-1] + len(record))
    for cut in range(len(whole) + 1):
        (tmp_path / "a.hftj").write_bytes(whole[:cut])
        found = read_journal(tmp_path)
        kept = sum(end <= cut for end in ends[1:])
        assert len(found.records) == kept
        if whole[ends[kept] : cut].strip(b"\0"):
            assert found.ended
            assert found.offset == ends[kept]


@settings(deadline=None)  # writes files; a busy machine is no finding
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_any_flipped_bit_ends_the_journal_before_its_record(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    records = chain([b"payload1", b"payload2"])
    data = bytearray(b"".join(records))
    at %= len(data)
    data[at] ^= 1 << bit
    folder = tmp_path_factory.mktemp("journal")
    (folder / "a.hftj").write_bytes(data)
    assert len(read_journal(folder).records) <= at // len(records[0])


def page_bytes() -> bytearray:
    data = bytearray(8192 + 16)
    metrics.HEADER.pack_into(data, 0, b"HFTM", 1, b"b" * 36, 42, 2, 0, 7, 9)
    metrics.ENTRY.pack_into(data, 4096, b"engine_epoch", metrics.Type.GAUGE, b"1", 8192, 0, 1)
    metrics.ENTRY.pack_into(data, 4176, b"orders", metrics.Type.COUNTER, b"1", 8200, 0, 1)
    struct.pack_into("<qQ", data, 8192, -3, 2**63)
    return data


def test_metrics_page_reads_back() -> None:
    page = metrics.read_page(bytes(page_bytes()))
    assert (page.pid, page.start_time, page.heartbeat_ns) == (42, 7, 9)
    assert page.entries["engine_epoch"].values == (-3,)
    assert page.entries["orders"].values == (2**63,)


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [
        (0, "<4s", b"MTFH"),
        (4, "<I", 2),
        (48, "<I", 60_000),
        (4096 + 64, "<Q", 8193),
        (4096 + 64, "<Q", 2**40),
        (4096 + 48, "<I", 9),
    ],
)
def test_metrics_page_that_points_outside_is_refused(at: int, form: str, value: object) -> None:
    data = page_bytes()
    struct.pack_into(form, data, at, value)
    with pytest.raises(ValueError, match="page"):
        metrics.read_page(bytes(data))


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=link.EPOCH_MAX), st.integers(min_value=0, max_value=36**8 - 1))
def test_clordid_gives_epoch_and_sequence_back(epoch: int, sequence: int) -> None:
    text = link.clordid(epoch, sequence)
    assert len(text) == 14
    assert (int(text[:5], 36), int(text[5:13], 36), text[13:]) == (epoch, sequence, " ")


def test_epoch_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        link.clordid(link.EPOCH_MAX + 1, 0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("nhwxcSU"), st.binary(max_size=40))),
    st.integers(min_value=1, max_value=9),
)
def test_frames_come_back_whole_in_any_pieces(packets: list[tuple[str, bytes]], step: int) -> None:
    stream = b"".join(link.frame(letter, payload) for letter, payload in packets)
    buffer, found = bytearray(), []
    for at in range(0, len(stream), step):
        buffer += stream[at : at + step]
        found += link.frames(buffer)
    assert found == packets
    assert not buffer
