"""Parameters of a real port, a veth pair in namespaces of our own: set, read by another way, set back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checks.facts import parse_facts, script_of
from tests.support import needs
from tests.support.checkout import ROOT

MARK = "@mark"
# In a network and a mount namespace of its own: /run and /var/lib of this machine are not touched.
PROGRAM = """
import json, os, subprocess, sys
from pathlib import Path
from agent.document import NicStep
from agent.errors import AgentError
from agent.host import HostRoot
from agent.transaction.step_nic import NicActor
from agent.verbs import irqs, nics
from tuning.seen_nics import SEEN_NICS_FILE

def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout

def ip(*words):
    run(sys.argv[1], *words)

ip("link", "add", "v0", "numrxqueues", "4", "numtxqueues", "4", "type", "veth", "peer", "name", "v1")
HOST = HostRoot()

def actor(knob, value):
    return NicActor(host=HOST, step=NicStep(device="v0", knob=knob, value=value, why="because"))

def driver():
    text = run(sys.executable, "-I", "-S", "checks/nic_on_host.py", "v0")
    words = (line.split()[1:] for line in text.splitlines())
    return {one[0]: " ".join(one[1:] if one[2:] == ["fixed"] else one[1:2]) for one in words}

def record():
    return json.loads(Path(SEEN_NICS_FILE).read_text())["ports"]["v0"]

def refusal(act):
    try:
        act()
    except AgentError as error:
        return f"{error.code}: {error}"

said = {"before": driver()}
two = actor("channels.rx", 2)
first = two.observe()
said |= {"observed": first.image, "wanted": first.wanted, "note": two.act()}
said |= {"set": driver(), "kept": record()}
said["again"] = two.observe().wanted
said["undone"] = two.undo(first) + driver()["channels.rx"]
lacking = actor("rings.rx", 512).observe()
said |= {"lacking": lacking.note, "lacking_wanted": lacking.wanted, "record": record()}
said["too_many"] = refusal(actor("channels.rx", 5000).observe)
def most(knob, value):
    step = NicStep(device="v0", knob=knob, value=value, why="because", is_capped=True)
    return NicActor(host=HOST, step=step)

capped = most("channels.rx", 5000)
said["capped"] = [capped.observe().wanted, actor("channels.rx", 1).act(), capped.observe().wanted]
said["capped"] += [capped.act(), driver()["channels.rx"], capped.observe().wanted]
said["maxima"] = json.loads(Path(SEEN_NICS_FILE).read_text())["most"]
gro, lro = actor("features.gro", 1), actor("features.lro", 1)
was = gro.observe()
said["gro"] = [was.image, gro.act(), driver()["features.gro"], gro.observe().wanted]
said["gro"] += [gro.undo(was), driver()["features.gro"]]
for knob in ("features.gso", "features.tso", "features.tso6"):
    said[knob] = [actor(knob, 0).act(), driver()[knob]]
said["fixed"] = [lro.observe().note, driver()["features.lro"], actor("features.lro", 0).observe().wanted]
words = {"rss.table": ("0", "1"), "rss.key": ("6d5a",), "rss.udp4": 240, "flows": ("udp/239.1.1.1/1/0",)}
said["steered"] = {knob: actor(knob, value).observe().note for knob, value in words.items()}
said["steered_checked"] = sorted({driver()[knob] for knob in words})
said["wol"] = [actor("wol.modes", 0).observe().note, driver()["wol.modes"]]
Path("/var/lib/hft").mkdir()
plan = {"settings": [{"kind": "nic_parameter", "device": "v0", "knob": "channels.rx", "value": "3"}]}
Path("/var/lib/hft/plan.json").write_text(json.dumps(plan))
said["service"] = [nics.set_parameters(HOST), driver()["channels.rx"], nics.set_parameters(HOST)]
actor("channels.rx", 2).act()
said["sweep"] = [irqs.place_after(HOST, ()), driver()["channels.rx"]]
said["sweep"] += [irqs.place_after(HOST, (), asks=True), driver()["channels.rx"]]
ip("address", "add", "10.77.9.1/24", "dev", "v0")
ip("link", "set", "v1", "up")
ip("link", "set", "v0", "up")
ip("route", "add", "default", "via", "10.77.9.2")
said["way_in"] = refusal(actor("channels.rx", 1).observe)
plan["settings"][0]["value"] = "1"
Path("/var/lib/hft/plan.json").write_text(json.dumps(plan))
said["service_way_in"] = [nics.set_parameters(HOST), driver()["channels.rx"]]
listed = {"kind": "nic_parameter", "device": "v0", "key": "nic.channels.rx.v0"}
Path("/var/lib/hft/plan.json").write_text(json.dumps(listed, sort_keys=True, separators=(",", ":")))
script = Path(sys.argv[2]).read_bytes()
said["facts"] = subprocess.run(["sh", "-s"], input=script, capture_output=True, check=True).stdout.decode()
print(json.dumps(said))
"""


# RSS of a made up card, queues of a real port: the kernel refuses a table and a count that contradict.
SHRINKING = """
import fcntl, json, subprocess, sys
from agent.document import NicStep
from agent.host import HostRoot
from agent.transaction.step_nic import NicActor
from tests.support.ethtool_card import Card

def ip(*words):
    subprocess.run([sys.argv[1], *words], check=True)

ip("link", "add", "ens1", "numrxqueues", "8", "numtxqueues", "8", "type", "veth", "peer", "name", "v1")
HOST, real = HostRoot(), fcntl.ioctl

def actor(knob, *value):
    value = value[0] if isinstance(value[0], int) else value
    return NicActor(host=HOST, step=NicStep(device="ens1", knob=knob, value=value, why="because"))

said = []
for table, words in (([0, 1, 2, 3, 4, 5, 6, 7] * 2, "even"), ([0, 0, 0, 5] * 4, "uneven")):
    card = Card(table=list(table), key=bytes(range(40)))
    fcntl.ioctl = card.ioctl
    done = [actor("channels.rx", 2), actor("rss.table", "0", "1")]
    before = [one.observe() for one in done]
    card.queues = lambda: actor("channels.rx", 1).observe().image["value"]
    for one in done:
        one.act()
        said.append(max(card.table) < card.queues())
    said.append([card.table, card.queues()])
    said += [one.undo(image) for one, image in reversed(list(zip(done, before, strict=True)))]
    said.append([card.table == table, card.queues()])
print(json.dumps(said))
"""


# A tap with queues, whose program took no offload: TSO is offered, asked for, and stays off.
TAP = """
import fcntl, json, os, struct, subprocess, sys
from agent.document import NicStep
from agent.host import HostRoot
from agent.transaction.step_nic import NicActor

HOST, queues = HostRoot(), []
for _ in range(4):
    queues.append(os.open("/dev/net/tun", os.O_RDWR))
    # TUNSETIFF: IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE
    fcntl.ioctl(queues[-1], 0x400454CA, struct.pack("16sH22x", b"t0", 0x1102))

def actor(knob, value, capped=False):
    return NicActor(host=HOST, step=NicStep(device="t0", knob=knob, value=value, why="w", is_capped=capped))

def driver(knob):
    words = [sys.executable, "-I", "-S", "checks/nic_on_host.py", "t0"]
    lines = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    return next(line.partition(f" {knob} ")[2] for line in lines if f" {knob} " in line)

tso = actor("features.tso", 1)
said = [driver("features.tso"), actor("features.tso", 0).act()]  # it is asked for from the start
before = tso.observe()
said += [before.wanted, driver("features.tso"), tso.act(), driver("features.tso"), tso.observe().note]
said += [tso.undo(before), driver("features.tso")]
said += [driver("channels.combined"), actor("channels.combined", 2).act(), driver("channels.combined")]
print(json.dumps(said))
"""


def inside(program: str, *words: str) -> str:
    """What a program says in a network and a mount namespace of its own."""
    mount = needs.found("mount") or "mount"
    line = f'{mount} -t tmpfs none /run && {mount} -t tmpfs none /var/lib && exec "$@"'
    argv = ["unshare", "--net", "--mount", "sh", "-c", line, "sh", sys.executable, "-c", program]
    argv += [needs.found("ip") or "ip", *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program saw."""
    script = tmp_path_factory.mktemp("facts") / "script"
    script.write_bytes(script_of("facts.sh", MARK))
    found: dict[str, Any] = json.loads(inside(PROGRAM, str(script)))
    return found


pytestmark = [needs.namespaces(), needs.programs("ip", "unshare", "mount")]


def test_a_parameter_is_set_and_the_driver_says_so_by_another_way(said: dict[str, Any]) -> None:
    assert said["before"]["channels.rx"] == "4" or int(said["before"]["channels.rx"]) != 2
    assert said["observed"] == {"value": int(said["before"]["channels.rx"])}
    assert not said["wanted"]
    assert said["note"] == ""
    assert said["set"]["channels.rx"] == "2"
    assert said["set"]["channels.tx"] == said["before"]["channels.tx"], "and nothing else"
    assert said["kept"] == {"channels.rx": 2}
    assert said["again"]


def test_it_is_set_back(said: dict[str, Any]) -> None:
    assert said["undone"] == said["before"]["channels.rx"]


def test_what_the_driver_lacks_is_recorded_and_is_no_failure(said: dict[str, Any]) -> None:
    assert said["lacking"] == "the driver has no rings.rx (EOPNOTSUPP)"
    assert said["lacking_wanted"]
    assert said["record"]["rings.rx"] == said["before"]["rings.rx"] == "EOPNOTSUPP"
    assert said["before"]["channels.combined"] == "ENODATA", "this driver has queues of one direction"


def test_an_offload_is_set_alone_and_set_back(said: dict[str, Any]) -> None:
    assert said["gro"] == [{"value": 0}, "", "1", True, "", "0"]
    assert said["before"]["features.gso"] == "1"
    assert [said[f"features.{one}"] for one in ("gso", "tso", "tso6")] == [["", "0"]] * 3


def test_what_nobody_can_change_is_no_failure(said: dict[str, Any]) -> None:
    assert said["fixed"] == ["the driver has no features.lro (EOPNOTSUPP)", "0 fixed", True]
    assert said["wol"] == ["the driver has no wol.modes (EOPNOTSUPP)", "EOPNOTSUPP"]


def test_a_port_without_rss_and_rules_lacks_them(said: dict[str, Any]) -> None:
    assert set(said["steered_checked"]) == {"EOPNOTSUPP"}
    knobs = ("rss.table", "rss.key", "rss.udp4", "flows")
    assert said["steered"] == {one: f"the driver has no {one} (EOPNOTSUPP)" for one in knobs}


def test_more_than_the_driver_has_is_refused_before_anything_is_written(said: dict[str, Any]) -> None:
    assert said["too_many"] == "preflight: channels.rx of v0 is 4 at most, and 5000 is asked for"


def test_what_is_capped_is_the_drivers_maximum(said: dict[str, Any]) -> None:
    assert said["capped"] == [True, "", False, "", "4", True]
    assert said["maxima"] == {"v0": {"channels.rx": 4}}


def test_the_service_sets_it_again_once(said: dict[str, Any]) -> None:
    assert said["service"] == ["channels.rx of v0 set to 3", "3", ""]


def test_what_a_driver_forgot_in_silence_is_asked_for_seldom(said: dict[str, Any]) -> None:
    assert said["sweep"] == ["", "2", "sweep: channels.rx of v0 set to 3", "3"]


def test_the_way_to_the_host_is_never_changed(said: dict[str, Any]) -> None:
    assert said["way_in"] == "preflight: v0 carries the default route: it is never changed"
    assert said["service_way_in"] == ["", "3"]


def test_the_facts_of_a_check_hold_what_the_driver_says(said: dict[str, Any]) -> None:
    facts = parse_facts(said["facts"], MARK)
    assert facts.nics["v0", "channels.rx"] == "3 4", "and how many there could be"
    assert facts.nics["v0", "rings.rx"] == "EOPNOTSUPP"
    assert {device for device, _ in facts.nics} == {"v0"}, "only the ports of the plan are asked"


def test_an_offload_that_does_not_follow_is_no_failure_and_is_asked_back() -> None:
    said = json.loads(inside(TAP))
    assert said[:4] == ["0 fixed", "", False, "0"]
    assert said[4:7] == [
        "the driver cannot change features.tso (EOPNOTSUPP)",
        "0 fixed",
        "the driver has no features.tso (EOPNOTSUPP)",
    ]
    assert said[7:9] == ["", "0"]
    assert said[9:] == ["4 256", "the driver cannot change channels.combined (EOPNOTSUPP)", "4 256"]


def test_queues_that_a_table_uses_can_go_and_come_back_with_it() -> None:
    narrow = [[0, 1] * 8, 2]
    assert json.loads(inside(SHRINKING)) == [True, True, narrow, "", "", [True, 8]] * 2


def test_both_ways_of_asking_know_the_same_parameters() -> None:
    from checks.nic_on_host import FEATURES, HASHED, PARAMETERS, STEERED
    from tuning.nic_table import KNOBS

    assert {*PARAMETERS, *FEATURES, *HASHED, *STEERED} == set(KNOBS)
    assert {knob: row.feature for knob, row in KNOBS.items() if row.feature} == FEATURES
    assert Path(ROOT / "checks" / "nic_on_host.py").read_text().isascii()
