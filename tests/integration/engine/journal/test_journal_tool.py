"""Determinism and recovery with the programs themselves; the contract's Python reader is the judge.

The same claims hold inside the C++ (journal/tests, core/tests). Here nothing of it is trusted: records are
found by engine/contract/journal.py, journals are cut and forged by Python, and what counts is what a program
prints.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.contract.journal import INPUT, Kind, Record, read_journal, record_bytes
from tests.support.commands import called
from tests.support.engine.journals import chained

MESSAGES = 4000  # the first orders leave after 20 ms of quiet behind the login: some 2,600 messages
MILLION = 1_000_000
RUNS = 5
CUTS = 300
REPLAYED_CUTS = 40
FIRST = "journal-00000001.hftj"
ENDED = re.compile(
    r"journal (\w+): recovered (\d+) records up to input (\d+)(?:, segment (\d+) byte (\d+))?"
    r"(?:, (\d+) bytes behind it are no whole record)?"
)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def journal_tool(native: Path) -> Run:
    return lambda *words: called(native / "bin" / "hft-journal", *words)


@pytest.fixture
def replay(native: Path) -> Run:
    return lambda directory: called(native / "bin" / "hft-engine", "--replay", directory)


@pytest.fixture
def day(journal_tool: Run, tmp_path: Path) -> Day:
    """A small seeded day, and what its maker said about it."""
    made = journal_tool("generate", tmp_path / "day", "--messages", MESSAGES, "--seed", 11)
    assert made.returncode == 0, made.stderr
    return Day(tmp_path / "day", json.loads(made.stdout))


class Day:
    """A generated journal in one segment, its records, and the offset behind each of them."""

    def __init__(self, directory: Path, told: dict[str, Any]) -> None:
        self.directory, self.told = directory, told
        self.path = directory / FIRST
        self.bytes = self.path.read_bytes()
        whole = read_journal(directory)
        assert not whole.ended
        assert whole.segment == FIRST
        self.records = whole.records
        self.ends = [0]
        for record in self.records:
            self.ends.append(self.ends[-1] + len(record_bytes(record)))
        assert self.ends[-1] == whole.offset
        assert b"".join(map(record_bytes, self.records)) == self.bytes[: whole.offset]

    def cut(self, size: int) -> None:
        self.path.write_bytes(self.bytes[:size])

    def whole_before(self, size: int) -> tuple[Record, ...]:
        """The records that lie whole in the first SIZE bytes."""
        return self.records[: sum(end <= size for end in self.ends[1:])]

    def forge(self, at: int = 0, payload: bytes = b"") -> None:
        """Another payload for one record; every checksum fits again, and the seals are gone."""
        forged = list(self.records)
        if payload:
            forged[at] = dataclasses.replace(forged[at], payload=payload)
        self.path.write_bytes(chained(forged))
        assert not read_journal(self.directory).ended

    def index(self, kind: Kind, nth: int) -> int:
        return [index for index, record in enumerate(self.records) if record.kind == kind][nth]


def expect_end(text: str, ending: str, whole: tuple[Record, ...], behind: int, size: int) -> None:
    """The sentence about the end names exactly these records, the byte behind them and what is lost."""
    found = ENDED.search(text)
    assert found is not None, text
    inputs = [record.input_seq for record in whole if record.flags & INPUT]
    kept = sum(record.kind != Kind.SEAL for record in whole)
    assert (found[1], int(found[2]), int(found[3])) == (ending, kept, inputs[-1] if inputs else 0)
    assert int(found[5] or 0) == behind
    assert int(found[6] or 0) == (size - behind if ending == "torn" else 0)


@pytest.mark.engine
def test_a_million_messages_replay_bit_equal_five_times_and_the_engine_agrees(
    journal_tool: Run, replay: Run, tmp_path: Path
) -> None:
    proved = journal_tool("prove", tmp_path / "day", "--messages", MILLION, "--runs", RUNS)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    first, *runs = proved.stdout.splitlines()
    told = json.loads(first)
    assert told["messages"] == MILLION
    assert min(told["orders"], told["cancels"], told["executions"], told["refused"]) >= 1000
    decisions = {line.partition(f"equal, {told['inputs']} inputs, ")[2] for line in runs}
    assert len(runs) == RUNS and len(decisions) == 1 and "" not in decisions, proved.stdout
    again = replay(tmp_path / "day")
    assert again.returncode == 0, again.stderr
    said = json.loads(again.stdout)
    assert said["inputs"] == told["inputs"] and said["ending"] == "clean" and said["unrecorded"] == 0
    for name in ("state_digest", "decision_digest"):
        assert said[name] == f"sha256:{told[name]}"


def test_what_the_tool_counts_is_what_an_independent_reader_counts(day: Day, journal_tool: Run) -> None:
    shown = journal_tool("show", day.directory)
    assert shown.returncode == 0, shown.stderr
    counted = {int(kind): int(count) for kind, count in re.findall(r"kind (\d+): (\d+)", shown.stdout)}
    kinds = Counter(record.kind for record in day.records if record.kind != Kind.SEAL)
    assert counted == kinds and kinds[Kind.INTENT] > 10
    assert sum(bool(record.flags & INPUT) for record in day.records) == day.told["inputs"]
    expect_end(shown.stdout, "clean", day.records, day.ends[-1], day.ends[-1])


def test_one_seed_is_one_journal_and_another_seed_another(
    day: Day, journal_tool: Run, tmp_path: Path
) -> None:
    journal_tool("generate", tmp_path / "again", "--messages", MESSAGES, "--seed", 11)
    assert (tmp_path / "again" / FIRST).read_bytes() == day.bytes
    other = journal_tool("generate", tmp_path / "other", "--messages", MESSAGES, "--seed", 12)
    assert json.loads(other.stdout)["decision_digest"] != day.told["decision_digest"]


@pytest.mark.engine
def test_cut_at_every_record_boundary_every_record_before_it_stands(day: Day, journal_tool: Run) -> None:
    assert len(day.ends) > 150
    for end in day.ends:
        day.cut(end)
        shown = journal_tool("show", day.directory)
        assert shown.returncode == 0, shown.stderr
        expect_end(shown.stdout, "clean", day.whole_before(end), end, end)


@pytest.mark.engine
def test_cut_at_random_bytes_the_last_whole_record_stands_and_is_named(
    day: Day, journal_tool: Run, replay: Run
) -> None:
    dice = random.Random(2026)
    sizes = [dice.randrange(day.ends[-1]) for _ in range(CUTS)]
    torn = 0
    for number, size in enumerate(sizes):
        day.cut(size)
        whole = day.whole_before(size)
        behind = day.ends[len(whole)]
        # A header begins with its magic, so whatever is left of a record is not zeros and is seen.
        ending = "clean" if behind == size else "torn"
        torn += ending == "torn"
        shown = journal_tool("show", day.directory)
        assert shown.returncode == 0, shown.stderr
        expect_end(shown.stdout, ending, whole, behind, behind + lost(day.bytes[behind:size]))
        if number < REPLAYED_CUTS:
            replayed = replay(day.directory)
            assert replayed.returncode == 0, replayed.stderr
            expect_end(replayed.stderr, ending, whole, behind, behind + lost(day.bytes[behind:size]))
            inputs = [record.input_seq for record in whole if record.flags & INPUT]
            assert json.loads(replayed.stdout)["inputs"] == len(inputs)
    assert torn > CUTS * 0.9


def lost(data: bytes) -> int:
    """Bytes up to the last that is not zero: a preallocated tail was never written."""
    return len(data.rstrip(b"\0"))


@pytest.mark.engine
def test_one_flipped_bit_in_the_middle_is_found_and_nothing_behind_it_is_believed(
    day: Day, journal_tool: Run, replay: Run
) -> None:
    dice = random.Random(7)
    for _ in range(40):
        at = dice.randrange(day.ends[-2])
        damaged = bytearray(day.bytes)
        damaged[at] ^= 1 << dice.randrange(8)
        day.path.write_bytes(damaged)
        shown = journal_tool("show", day.directory)
        whole = day.whole_before(at)
        assert shown.returncode == 70, f"bit in byte {at}: {shown.stdout}"
        expect_end(shown.stdout, "torn", whole, day.ends[len(whole)], day.ends[-1])
        behind = len(day.records) - len(whole) - 1
        assert f"{behind} whole records lie behind the damage" in shown.stdout, shown.stdout
    replayed = replay(day.directory)
    assert json.loads(replayed.stdout)["ending"] == "torn"
    assert json.loads(replayed.stdout)["state_digest"] != f"sha256:{day.told['state_digest']}"


def test_a_changed_decision_with_fitting_checksums_is_found_by_replay(day: Day, replay: Run) -> None:
    at = day.index(Kind.INTENT, 5)
    payload = bytearray(day.records[at].payload)
    payload[-3] ^= 1
    day.forge(at, bytes(payload))
    replayed = replay(day.directory)
    assert replayed.returncode == 70
    assert "1 decisions differ: kind 10 at input" in replayed.stderr


def test_a_decision_left_out_or_invented_is_found_by_replay(day: Day, replay: Run) -> None:
    at = day.index(Kind.INTENT, 3)
    kept = day.records
    for records in ((*kept[:at], *kept[at + 1 :]), (*kept[:at], kept[at], *kept[at:])):
        day.records = records
        day.forge()
        replayed = replay(day.directory)
        assert replayed.returncode == 70
        assert "decisions differ" in replayed.stderr


def test_a_changed_input_with_fitting_checksums_shows_in_the_state_digest(day: Day, replay: Run) -> None:
    fills = [
        index
        for index, record in enumerate(day.records)
        if record.kind == Kind.RESPONSE and record.payload[:1] == b"E"
    ]
    assert len(fills) > 3
    for at in fills:
        payload = bytearray(day.records[at].payload)
        payload[16] ^= 1  # one share more or less: Order Executed, OUCH 5.0 section 3.5
        day.forge(at, bytes(payload))
        replayed = replay(day.directory)
        told = json.loads(replayed.stdout or '{"state_digest": "a decision differs"}')
        assert told["state_digest"] != f"sha256:{day.told['state_digest']}"


def test_a_forgery_that_keeps_the_seals_is_corrupt(day: Day, journal_tool: Run, replay: Run) -> None:
    assert any(record.kind == Kind.SEAL for record in day.records)
    forged, previous = b"", 0
    for index, record in enumerate(day.records):
        utc_ns = record.utc_ns + (index == 2)
        data = record_bytes(dataclasses.replace(record, utc_ns=utc_ns, previous_crc=previous))
        previous = int.from_bytes(data[52:56], "little")
        forged += data
    day.path.write_bytes(forged)
    assert not read_journal(day.directory).ended, "by its checksums alone it is whole"
    shown = journal_tool("show", day.directory)
    assert shown.returncode == 70 and "journal corrupt" in shown.stdout
    assert replay(day.directory).returncode == 70


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nowhere"],
        ["show"],
        ["prove", "day", "--messages", "many"],
        ["prove", "day", "--messages", "9" * 30],
        ["prove", "day", "--messages"],
        ["prove", "day", "--colour", "1"],
        ["shred", "day"],
    ],
)
def test_a_wrong_command_line_is_64_and_one_sentence(
    words: list[str], journal_tool: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = journal_tool(*words)
    assert done.returncode == 64
    assert done.stderr.startswith("hft-journal: ") and done.stderr.count("\n") == 1
    assert not done.stdout


def test_a_journal_is_never_generated_over_another(day: Day, journal_tool: Run) -> None:
    assert journal_tool("generate", day.directory).returncode == 64
    assert day.path.read_bytes() == day.bytes
