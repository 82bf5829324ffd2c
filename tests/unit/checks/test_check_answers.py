"""Thousands of mutated answers: no traceback, no other host's result, the others are delivered."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks import next_boot as next_boot_module
from checks import suite, topics
from checks.document import document_of, junit_of
from checks.expected import Expected
from checks.facts import Facts
from checks.link import Connection
from checks.page import page_of
from checks.suite import HostResult, Options, check_host
from checks.verdict import Finding, Verdict
from inventory.model import Host, Identity
from tests.support.edited_hosts import GOOD, HERE

SEED = 20261130
ENROLLED, OTHER = "5d065bcd50c94535b7fcb405d74f838d", "0" * 31 + "2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMz1"
UNIT = "/etc/systemd/system/hft-engine-a.service"
FACTS = "\n".join(GOOD.lines).replace("@mark unreadable", f"{UNIT}\0[Unit]\n@mark unreadable")
METER = (HERE / "tuned.meter.json").read_text()
MANIFEST = {
    "exec": {"program": "engine"},
    "files": [{"path": "engine", "sha256": "a" * 64}],
    "memory": {"hugepages_2m": 4, "hugepages_1g": 0},
    "threads": [{"name": "hot", "role": "hot", "wants": "isolated"}],
}
STAT = "900 (hot) S 1 900 900 0 -1 4194304 7 0 0 0 1 1 0 0 20 0 1 0 9 1 1 " + "0 " * 14 + "3 0 0"
SLOT = f"""@mark a/unit
MainPID=900
ActiveState=active
@mark a/link
/opt/hft/releases/{"b" * 64}
@mark a/cpus
"cpus":{{"hot":[3]}}
@mark a/manifest
{json.dumps(MANIFEST)}
@mark a/manifest.whole
@mark a/files
{"a" * 64}  ./engine
@mark a/files.whole
@mark a/exe
/opt/hft/releases/{"b" * 64}/engine
{"a" * 64}
@mark a/smaps
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
Rss:                   4 kB
KernelPageSize:        4 kB
VmFlags: rd wr lo
@mark a/smaps.whole
@mark a/numa
7f0000000000 default anon=1 dirty=1 N1=1 kernelpagesize_kB=4
@mark a/numa.whole
@mark a/before.stat
{STAT}
@mark a/before.status
Pid:\t900
Cpus_allowed_list:\t3
nonvoluntary_ctxt_switches:\t0
@mark a/before.count
1
@mark a/after.stat
{STAT}
@mark a/after.status
Pid:\t900
Cpus_allowed_list:\t3
nonvoluntary_ctxt_switches:\t0
@mark a/after.page

@mark /end
"""


def host(name: str, machine_id: str) -> Host:
    return Host(
        name=name,
        address="192.0.2.1",
        role="engine",
        failure_domain="a",
        profile="engine",
        host_class="bare-metal",
        identity=Identity(host_keys=(KEY,), machine_id=machine_id),
    )


MUTATED, SOUND = host("mutated", ENROLLED), host("sound", ENROLLED)


class Answers(Connection):
    """A host that answers with these three texts, whatever it is asked."""

    def __init__(self, facts: str, meter: str, slot: str) -> None:
        self.texts = (facts, meter, slot)

    @property
    def calls(self) -> int:
        return 3

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float, frame: str = "") -> str:
        del timeout_s, frame
        facts, meter, slot = self.texts
        if argv[1] == "-c":
            return meter
        mark = stdin.decode().partition("\n")[0].removeprefix("mark=")
        assert len(mark) > 16
        assert not any(mark in word for word in argv), "arguments are seen by every account of the host"
        return (slot if argv[-1] == "a" else facts).replace("@mark", mark)


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, boots = tmp_path / "meter", dict[Any, Finding]()
    program.write_bytes(b"")
    monkeypatch.setattr(suite, "build_meter", lambda _: program)

    def next_boot(expected: Expected, facts: Facts) -> Finding:
        """GRUB's menu is walked once for each text of it."""
        files = frozenset((path, text) for path, text in facts.files.items() if path.startswith("/boot/"))
        key = (expected.plan_hash, files, facts.boot, facts.absent, facts.highest)
        if key not in boots:
            boots[key] = next_boot_module.next_boot(expected, facts)
        return boots[key]

    monkeypatch.setattr(topics, "next_boot", next_boot)


def look(at: Host, facts: str = FACTS, meter: str = METER, slot: str = SLOT) -> HostResult:
    options = Options(cache=Path("/nonexistent"))
    found = check_host(at, Answers(facts, meter, slot), options, lambda _: None)
    return replace(found, seconds=0.0, started_at="")


JUNK = (
    "\0",
    "\x1b[2J",
    "\n",
    "@mark end\n",
    "@mark files\n",
    "9" * 40,
    "-1",
    "null",
    "[" * 3000,
    "é",
    "\ud800",
    "NaN",
    "",
)
Mutation = Callable[[str, random.Random], str]


def span(text: str, dice: random.Random) -> tuple[int, int]:
    at = dice.randrange(len(text))
    return at, min(len(text), at + dice.choice((1, 1, 3, 20, 400, 5000)))


def cut(text: str, dice: random.Random) -> str:
    return text[: dice.randrange(len(text))]


def lose(text: str, dice: random.Random) -> str:
    at, end = span(text, dice)
    return text[:at] + text[end:]


def stutter(text: str, dice: random.Random) -> str:
    at, end = span(text, dice)
    return text[:end] + text[at:end] + text[end:]


def plant(text: str, dice: random.Random) -> str:
    at, end = span(text, dice)
    return text[:at] + dice.choice(JUNK) + text[end:]


def shuffle(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return "\n".join(lines)


def stranger(text: str, dice: random.Random) -> str:
    """The end of another machine's answer."""
    at = dice.randrange(len(text))
    return text[:at] + text[at:].replace(ENROLLED, OTHER)


MUTATIONS: tuple[Mutation, ...] = (cut, lose, stutter, plant, shuffle, stranger)


def mutate(seed: int) -> dict[str, str]:
    """One to three mutations of one to all of the answers."""
    dice = random.Random(seed)
    texts = {"facts": FACTS, "meter": METER, "slot": SLOT}
    for name in dice.sample(sorted(texts), dice.choice((1, 1, 2, 3))):
        for _ in range(dice.choice((1, 1, 2, 3))):
            texts[name] = dice.choice(MUTATIONS)(texts[name] or " ", dice)
    return texts


def campaign(count: int, first: int) -> None:
    sound = look(SOUND)
    alone = document_of("bench", [sound], 0)["hosts"][0]
    for seed in range(first, first + count):
        texts = mutate(seed)
        result = look(MUTATED, **texts)
        assert (result.host, result.unreachable) == ("mutated", None), seed
        assert result.findings, seed
        document = json.loads(json.dumps(document_of("bench", [result, sound], 0)))
        assert document["hosts"][1] == json.loads(json.dumps(alone)), seed
        assert junit_of("bench", [result, sound]).count("<testsuite ") == 2
        assert "sound" in page_of("bench", [result, sound], {})
        if ENROLLED not in texts["facts"]:
            assert {one.check for one in result.findings} <= {"identity", "facts"}, seed
            assert result.verdict is Verdict.UNVERIFIABLE, seed


def test_the_made_answers_are_read_whole() -> None:
    found = {one.check: one for one in look(SOUND).findings}
    assert not {check for check, one in found.items() if one.reason in {"facts_cut", "meter_failed"}}
    assert found["effect.cpu3.timer_interrupts"].reason is None
    assert found["engine.a.threads"].reason is None
    assert found["engine.a.program"].reason is None
    assert found["engine.a.release"].reason == "release_differs"


def test_mutated_answers_cost_their_own_host_only() -> None:
    campaign(200, SEED)


@pytest.mark.drill
def test_thousands_of_mutated_answers_cost_their_own_host_only() -> None:
    campaign(6000, SEED + 1000)
