"""RSS and flow rules of a card: set, read by another program, set back; what words cannot say is kept."""

from __future__ import annotations

import ctypes
import errno
import fcntl

import pytest

from agent.ethtool_ioctl import Steering, key_words, spec_of, table_of, table_words, word_of
from checks import nic_on_host
from checks.facts import Facts
from checks.ports import nic_parameter
from checks.verdict import Verdict
from tests.support.ethtool_card import Card, FlowSpec
from tuning.nic_table import KNOBS, Value, text_of
from tuning.plan.setting import NicParameter

KEY = bytes(range(40))
FLOWS = ("tcp/10.0.0.7/any/0", "udp/239.1.1.1/26400/1")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    """A card of four queues whose table is no even spread, with a rule that another program made."""
    made = Card(table=[0, 1, 2, 3, 0, 0, 0, 3], key=KEY, transform=1)
    theirs = FlowSpec(flow_type=1, ring_cookie=0xFFFFFFFFFFFFFFFF, location=3)  # RX_CLS_FLOW_DISC
    theirs.h_u[0:4] = theirs.m_u[0:4] = [255] * 4
    made.rules[3] = bytes(theirs)
    monkeypatch.setattr(fcntl, "ioctl", made.ioctl)
    return made


def checked(knob: str, wanted: str) -> Verdict:
    """What a check says of the card."""
    lines = [line.split() for line in nic_on_host.lines(["ens1"])]
    nics = {(device, name): " ".join(words) for device, name, *words in lines}
    setting = NicParameter(
        key=f"nic.{knob}.ens1",
        device="ens1",
        knob=knob,
        value=wanted,
        mode="safe",
        risk="",
        source="",
        why="",
    )
    return nic_parameter(setting, Facts(files={}, nics=nics)).verdict


WISHES: tuple[tuple[str, Value], ...] = (
    ("rss.table", ("1", "2")),
    ("rss.key", ("6d5a",)),
    ("rss.udp4", 0xF0),
    ("flows", FLOWS),
)


@pytest.mark.parametrize(("knob", "wanted"), WISHES)
def test_it_is_set_seen_by_the_checks_and_set_back_exactly(card: Card, knob: str, wanted: Value) -> None:
    steering = Steering()
    before = (card.table, card.key, dict(card.fields), dict(card.rules))
    old = steering.get("ens1", knob)
    assert checked(knob, text_of(wanted)) is Verdict.VIOLATED
    steering.set("ens1", knob, wanted)
    assert steering.get("ens1", knob) == wanted
    assert checked(knob, text_of(wanted)) is Verdict.OK
    written = card.written
    steering.set("ens1", knob, old)
    assert (card.table, card.key, dict(card.fields), dict(card.rules)) == before
    assert card.written > written
    steering.close()


def test_one_parameter_leaves_the_others(card: Card) -> None:
    steering = Steering()
    steering.set("ens1", "rss.table", ("1",))
    assert (card.table, card.key) == ([1] * 8, KEY)
    steering.set("ens1", "rss.key", ("6d5a",))
    assert (card.table, card.key) == ([1] * 8, b"\x6d\x5a" * 20)
    steering.close()


def test_rules_that_are_wanted_stay_and_the_others_go(card: Card) -> None:
    steering = Steering()
    steering.set("ens1", "flows", FLOWS)
    assert sorted(card.rules) == [0, 1], "the other program's is gone"
    written = card.written
    steering.set("ens1", "flows", FLOWS)
    assert card.written == written, "nothing to do"
    steering.set("ens1", "flows", FLOWS[:1])
    assert [word_of(one) for one in card.rules.values()] == [FLOWS[0]]
    steering.close()


def test_a_driver_that_chooses_places_does(card: Card) -> None:
    card.chooses = True
    steering = Steering()
    steering.set("ens1", "flows", FLOWS)
    assert set(card.rules) == {7, 6}
    steering.close()


def test_a_full_card_says_so(card: Card) -> None:
    card.places = 1
    steering = Steering()
    with pytest.raises(OSError, match="the 1 places of ens1 for flow rules are taken") as full:
        steering.set("ens1", "flows", FLOWS)
    assert full.value.errno == errno.ENOSPC
    steering.close()


def test_a_card_without_rules_lacks_them(card: Card) -> None:
    card.lacks_rules = True
    with pytest.raises(OSError, match="not supported") as lacking:
        Steering().get("ens1", "flows")
    assert lacking.value.errno == errno.EOPNOTSUPP
    assert checked("flows", text_of(FLOWS)) is Verdict.NOT_APPLICABLE


def test_a_flow_rule_is_what_the_kernels_header_says() -> None:
    spec = FlowSpec.from_buffer_copy(spec_of("udp/239.1.1.1/26400/5"))
    assert ctypes.sizeof(FlowSpec) == len(bytes(spec)) == 168
    assert (spec.flow_type, spec.ring_cookie) == (2, 5)
    assert bytes(spec.h_u[:12]) == bytes([0, 0, 0, 0, 239, 1, 1, 1, 0, 0, 0x67, 0x20])
    assert bytes(spec.m_u[:12]) == bytes([0] * 4 + [255] * 4 + [0, 0, 255, 255])
    assert not any([*spec.h_u[12:], *spec.m_u[12:], *spec.h_ext, *spec.m_ext])


def test_what_words_cannot_say_is_kept_in_full() -> None:
    assert table_words((0, 3, 0, 3)) == ("0", "3")
    uneven = (0, 0, 1, 0)
    assert table_words(uneven) == ("=0", "=0", "=1", "=0")
    assert table_of(table_words(uneven), 4) == uneven
    assert key_words(b"\x6d\x5a" * 26) == ("6d5a",)
    assert key_words(KEY) == (KEY.hex(),)
    other = FlowSpec.from_buffer_copy(spec_of("udp/239.1.1.1/26400/5"))
    other.m_u[12] = 1
    assert spec_of(word_of(bytes(other))) == bytes(other)
    for word in (*FLOWS, word_of(bytes(other))):
        assert KNOBS["flows"].value_of(word) == (word,)


@pytest.mark.parametrize("text", ["", "udp/239.1.1.1/0/1", "udp/x/1/1", "icmp/1.1.1.1/1/1", "raw/00", "a  b"])
def test_other_words_are_no_flows(text: str) -> None:
    with pytest.raises(ValueError, match="no value of it"):
        KNOBS["flows"].value_of(text)
