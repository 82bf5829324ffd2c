"""What the driver of a named port is told: by its I/O mode and by what a person asks, never the way in."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from checks.facts import Facts
from checks.ports import nic_parameter
from checks.verdict import Verdict
from deploys.tune.render import render
from tests.cases.machines import BOOT_ID, CASES, machine, tuned
from tuning.compliance.diff import diff
from tuning.compliance.nics import parameter_holds
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Flow, IoMode, Port, Ports
from tuning.plan.setting import NicParameter
from tuning.seen_nics import SEEN_NICS_FILE, SeenNics, read_seen_nics
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

PORT = "enp134s0f0"
BARE = machine(CASES["two-sockets-nic-on-node-1"])
SEEN = Snapshot(BARE.files, {**BARE.links, f"/sys/class/net/{PORT}/device": "../../../0000:86:00.0"})
ORDERS = Port(word=PORT, use="orders")
ASKING = replace(ORDERS, queues=4, rx_ring=2048, tx_ring=512, pause="off")


def made(*ports: Port, mode: IoMode = "kernel_interrupt") -> Plan:
    return plan(read_topology(SEEN), replace(ENGINE, io_mode=mode), Ports(ports=ports))


def told(planned: Plan) -> dict[str, str]:
    return {one.knob: one.value for one in planned.settings if isinstance(one, NicParameter)}


def test_a_named_port_is_told_what_its_mode_wants_and_what_a_person_asks() -> None:
    queues = {"channels.combined": "2", "channels.rx": "2", "channels.tx": "2", "rings.rx": "4096"}
    off = ("coalesce.adaptive_rx", "coalesce.rx_usecs", "eee.enabled", "features.lro", "wol.modes")
    merging = dict.fromkeys(("features.gro", "features.gso", "features.tso", "features.tso6"), "1")
    assert told(made(ORDERS)) == dict.fromkeys(off, "0") | merging | queues
    polled = told(made(ORDERS, mode="af_xdp"))
    assert {polled[one] for one in (*merging, *off)} == {"0"}, "a merged frame would wait for a timer"
    assert not set(merging) & set(told(made(ORDERS, mode="onload")))
    assert told(made(ORDERS, mode="onload"))["coalesce.rx_usecs"] == "60", "an interrupt is a last resort"
    assert told(made(ORDERS, mode="dpdk")) == {}, "no driver of the kernel is there to be told"
    assert told(made()) == {}, "a guess changes no port"
    asked = told(made(ASKING))
    assert {
        "channels.combined": "4",
        "channels.rx": "4",
        "rings.rx": "2048",
        "pause.tx": "0",
    }.items() <= asked.items()


FEED = Flow(proto="udp", address="239.1.1.1", port=26400, queue=1)
ORDER = Flow(proto="tcp", address="10.0.0.7", queue=3)


def test_flows_have_their_queues_and_the_hash_the_rest() -> None:
    both = replace(ASKING, flows=(ORDER, FEED))
    found = told(made(both))
    assert found["flows"] == "tcp/10.0.0.7/any/3 udp/239.1.1.1/26400/1"
    assert (found["rss.table"], found["features.ntuple"]) == ("0 2", "1")
    assert made(both) == made(replace(both, flows=(FEED, ORDER))), "in whichever order they are named"
    assert told(made(ASKING))["rss.table"] == "0 1 2 3"
    alone = replace(ASKING, queues=1, flows=(replace(FEED, queue=0),))
    assert told(made(alone))["rss.table"] == "0", "some queue has to take what no rule names"
    onload = made(both, mode="onload")
    assert "flows" not in told(onload), "the vendor's driver makes its own"
    assert f"nic.flows.{PORT}" in {one.key for one in onload.refused}


@pytest.mark.parametrize(
    ("flows", "queues", "said"),
    [
        ((FEED, replace(FEED, queue=2)), 4, "a frame can be of both flows"),
        ((ORDER, replace(ORDER, port=1000, queue=2)), 4, "a frame can be of both flows"),
        ((FEED, FEED), 4, "a frame can be of both flows"),
        ((ORDER,), 3, "goes to queue 3, of 3 from 0"),
        ((FEED,), None, "has flows and no queues"),
    ],
)
def test_flows_that_no_card_could_serve_are_refused(
    flows: tuple[Flow, ...], queues: int | None, said: str
) -> None:
    with pytest.raises(PlanError, match=said):
        made(replace(ORDERS, queues=queues, flows=flows))


def test_flows_that_never_meet_are_taken() -> None:
    other = replace(FEED, proto="tcp")
    apart = (FEED, other, replace(FEED, port=26401, queue=0), replace(FEED, address="239.1.1.2", queue=0))
    assert told(made(replace(ASKING, flows=apart)))["flows"].count(" ") == 3


@pytest.mark.parametrize("mode", get_args(IoMode))
def test_every_parameter_of_a_named_port_is_planned_or_refused_by_name(mode: IoMode) -> None:
    planned = made(ORDERS, mode=mode)
    keys = {one.key for one in (*planned.settings, *planned.refused) if one.key.startswith("nic.")}
    assert {
        f"nic.{knob}.{PORT}" for knob in ("channels.combined", "rings.rx", "pause.tx", "eee.enabled")
    } <= keys


def test_two_wishes_for_one_port_are_refused() -> None:
    feed = replace(ORDERS, use="feed-a", rx_ring=512)
    with pytest.raises(PlanError, match="rx_ring 2048 and 512; hint: one of them for one port"):
        made(ASKING, feed)
    assert told(made(ASKING, replace(feed, rx_ring=None)))["rings.rx"] == "2048"


def test_what_resets_a_port_waits_for_a_drained_host() -> None:
    modes = {one.knob: one.mode for one in made(ASKING).settings if isinstance(one, NicParameter)}
    resets = {knob for knob, mode in modes.items() if mode == "disruptive"}
    assert resets == {
        *(f"{kind}.{way}" for kind in ("rings", "pause", "channels") for way in ("rx", "tx")),
        "channels.combined",
        "eee.enabled",
        "features.lro",
    }


def test_the_next_boot_has_them_before_the_port_is_up_and_keeps_its_name() -> None:
    files = {one.path: one.content for one in render(made(ASKING), standins=False)}
    link = files[f"/etc/systemd/network/98-hft-{PORT}.link"]
    lines = [line for line in link.splitlines() if line and not line.startswith("#")]
    assert lines[:2] == ["[Match]", "Path=pci-0000:86:00.0"]
    assert "NamePolicy=keep kernel database onboard slot path" in lines
    assert {"CombinedChannels=4", "RxBufferSize=2048", "RxCoalesceSec=0us", "RxFlowControl=no"} <= set(lines)
    assert {"WakeOnLan=off", "LargeReceiveOffload=no", "GenericReceiveOffload=yes"} <= set(lines)
    assert not [line for line in lines if line.startswith(("RxChannels", "TxChannels"))]
    unknown = plan(read_topology(BARE), ENGINE, Ports(ports=(ASKING,)))
    assert not [one.path for one in render(unknown, standins=False) if one.path.endswith(".link")]


def test_what_a_mode_says_is_cut_at_the_drivers_maximum_and_what_a_person_says_is_not() -> None:
    capped = {one.knob for one in made(ORDERS).settings if isinstance(one, NicParameter) and one.is_capped}
    assert capped == {"channels.combined", "channels.rx", "channels.tx", "rings.rx"}
    asked = {one.knob for one in made(ASKING).settings if isinstance(one, NicParameter) and one.is_capped}
    assert asked == set()
    ring = next(one for one in made(ORDERS).settings if one.key == f"nic.rings.rx.{PORT}")
    assert isinstance(ring, NicParameter)
    for seen, most, is_held in (
        (4096, 8192, True),
        (1024, 1024, True),
        (1024, 8192, False),
        (512, 1024, False),
    ):
        record = SeenNics(boot_id=BOOT_ID, ports={PORT: {"rings.rx": seen}}, most={PORT: {"rings.rx": most}})
        host = Snapshot(
            {SEEN_NICS_FILE: record.to_json(), "/proc/sys/kernel/random/boot_id": f"{BOOT_ID}\n"}, {}
        )
        assert parameter_holds(ring, host).holds is is_held, (seen, most)
        answer = {(PORT, "rings.rx"): f"{seen} {most}"}
        assert (nic_parameter(ring, Facts(files={}, nics=answer)).verdict is Verdict.OK) is is_held
    exact, answer = replace(ring, is_capped=False), {(PORT, "rings.rx"): "1024 1024"}
    assert nic_parameter(exact, Facts(files={}, nics=answer)).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("mode", "queues", "ring"),
    [
        ("kernel_interrupt", "2", "4096"),
        ("kernel_busy_poll", "2", "1024"),
        ("af_xdp", "1", "2048"),
        ("onload", None, None),
    ],
)
def test_queues_follow_their_readers(mode: IoMode, queues: str | None, ring: str | None) -> None:
    planned = made(ORDERS, mode=mode)
    found = told(planned)
    assert (found.get("channels.combined"), found.get("rings.rx")) == (queues, ring)
    if mode == "kernel_interrupt":
        assert len(planned.cpus_of("irq")) == 2
    if mode == "kernel_busy_poll":
        assert len(planned.cpus_of("poll")) == 2
    assert told(made(replace(ORDERS, queues=7), mode=mode))["channels.combined"] == "7"


SETTING = next(
    one for one in made(ASKING).settings if isinstance(one, NicParameter) and one.knob == "rings.rx"
)


def holds(answer: int | str | None, boot: str = BOOT_ID) -> tuple[bool, bool, str]:
    ports = {} if answer is None else {PORT: {"rings.rx": answer}}
    record = SeenNics(boot_id=boot, ports=ports).to_json()
    seen = Snapshot({SEEN_NICS_FILE: record, "/proc/sys/kernel/random/boot_id": f"{BOOT_ID}\n"}, {})
    said = parameter_holds(SETTING, seen)
    return said.holds, said.is_known, said.excused


def test_the_record_of_this_boot_decides() -> None:
    assert holds(2048) == (True, True, "")
    assert holds(512) == (False, True, "")
    assert holds(None) == (False, False, "")
    assert holds(2048, boot="another") == (False, False, ""), "another boot had another driver, perhaps"
    assert holds("EOPNOTSUPP") == (True, True, f"the driver has no rings.rx of {PORT} (EOPNOTSUPP)")
    assert holds("EBUSY") == (False, False, "")


def test_an_applied_plan_leaves_nothing_pending() -> None:
    planned = made(ASKING)
    assert [one.reason for one in diff(planned, tuned(SEEN, planned)).all] == []


@pytest.mark.parametrize(
    "text",
    [None, "", "[]", "{", '{"schema":2}', f'{{"schema":1,"boot_id":"{BOOT_ID}","ports":[]}}', "[" * 9999],
)
def test_what_is_no_record_is_none(text: str | None) -> None:
    assert read_seen_nics(text, BOOT_ID) is None


def test_of_a_record_only_numbers_and_names_count() -> None:
    text = f'{{"schema":1,"boot_id":"{BOOT_ID}","ports":{{"a":{{"x":true,"y":[1],"z":3}},"b":7}}}}'
    found = read_seen_nics(text, BOOT_ID)
    assert found is not None
    assert (found.find("a", "x"), found.find("a", "y"), found.find("a", "z"), found.find("b", "z")) == (
        None,
        None,
        3,
        None,
    )
