"""Our ITCH decoder beside PyPI `itchfeed`, field for field, on real, invented, made and random messages."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itch.messages as itchfeed
import pytest

from tests.integration.engine.wire.streams import LENGTHS, messages_of, with_lengths

Itch = Callable[..., list[dict[str, Any]]]


def fields_of_itchfeed(message: bytes) -> dict[str, int | str]:
    """What the independent decoder reads: every attribute it sets, texts as Latin-1."""
    read = itchfeed.messages[message[:1]](message)
    fields = {"type": message[:1].decode(), **vars(read)}
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in fields.items()
    }


def assert_decoded_alike(ours: list[dict[str, Any]], messages: list[bytes]) -> None:
    assert len(ours) == len(messages) > 0
    for line, message in zip(ours, messages, strict=True):
        theirs = fields_of_itchfeed(message)
        assert line == {name: theirs[name] for name in line}, message.hex()
        assert len(line) == len(theirs), f"fields only one of us has: {set(theirs) ^ set(line)}"


def test_real_messages_decode_like_itchfeed(itch: Itch, real_open: Path) -> None:
    messages = list(messages_of(real_open))
    assert_decoded_alike(itch("decode", real_open), messages)
    counts = Counter(chr(message[0]) for message in messages)
    assert counts == {
        "D": 167,
        "E": 28,
        "S": 1,
        "U": 225,
        "A": 367,
        "F": 193,
        "I": 4,
        "P": 4,
        "C": 1,
        "Q": 4,
        "X": 6,
    }


def test_messages_without_lengths_decode_by_type_like_itchfeed(itch: Itch, invented_day: Path) -> None:
    messages = list(messages_of(invented_day, by_type=True))
    assert len(messages) == 12_012
    assert_decoded_alike(itch("decode", invented_day, "--by-type"), messages)


def test_generated_messages_decode_like_itchfeed(itch: Itch, tmp_path: Path) -> None:
    path = tmp_path / "made.itch50"
    itch("generate", path, "--messages", 5000, "--live", 500)
    messages = list(messages_of(path))
    assert {chr(message[0]) for message in messages} == set("AFECXDUP")
    assert_decoded_alike(itch("decode", path), messages)


@pytest.mark.parametrize("letter", sorted(LENGTHS), ids=lambda letter: letter.decode())
def test_random_bytes_of_every_type_decode_like_itchfeed(letter: bytes, itch: Itch, tmp_path: Path) -> None:
    dice = random.Random(letter[0])
    messages = [letter + dice.randbytes(LENGTHS[letter] - 1) for _ in range(40)]
    path = tmp_path / "random.itch50"
    path.write_bytes(with_lengths(messages))
    assert_decoded_alike(itch("decode", path), messages)


def test_both_know_the_same_23_types() -> None:
    assert len(LENGTHS) == 23


def test_what_itchfeed_cannot_read_we_reject_with_a_reason(itch: Itch, tmp_path: Path) -> None:
    good = b"D" + bytes(18)
    path = tmp_path / "bad.itch50"
    path.write_bytes(with_lengths([good, good[:-1], good + b"\0", b"z" + bytes(18), b"", good]))
    rejects = [line.get("reject") for line in itch("decode", path)]
    assert rejects == [None, "too_short", "too_long", "unknown_type", "empty", None]


def test_a_file_cut_short_ends_with_its_reason(itch: Itch, tmp_path: Path) -> None:
    path = tmp_path / "cut.itch50"
    path.write_bytes(with_lengths([b"D" + bytes(18)]) + b"\x00\x13D")
    assert [line.get("reject") for line in itch("decode", path)] == [None, "bad_length"]
