"""Loading: what a person wrote becomes a typed site, in each of the three forms."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from inventory.errors import InventoryError
from inventory.load import DEFAULT, load_site
from inventory.model import TRIALS, Host, Trial
from tuning.clock.wish import ClockWish
from tuning.plan.profile import ENGINE, Port, Ports, Profile

COLO = DEFAULT.with_name("colo.py")
EXAMPLE = DEFAULT.with_name("example.toml")


def test_worked_rack_loads_and_has_two_engine_failure_domains() -> None:
    site = load_site(COLO)
    engines = [host for host in site.hosts if host.role == "engine"]
    assert len({host.failure_domain for host in engines}) == len(engines) == 2
    assert {host.role for host in site.hosts} == {"engine", "standby", "ops"}
    assert all(host.address.startswith("192.0.2.") for host in site.hosts)


def test_toml_example_is_the_same_rack_with_a_profile_of_its_own() -> None:
    python, toml = load_site(COLO), load_site(EXAMPLE)
    assert [host.name for host in toml.hosts] == [host.name for host in python.hosts]
    assert toml.profile_of(toml.host("engine-1")) == Profile(
        name="engine-large", engine_threads_min=4, engine_threads_most=8
    )
    assert toml.profile_of(toml.host("ops-1")) is None


def test_inventory_works_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(COLO, tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path)
    assert load_site("mine.py") == load_site(COLO)


def test_python_inventory_may_hold_plain_tables(tmp_path: Path, good: dict[str, Any]) -> None:
    path = tmp_path / "site.py"
    path.write_text(f"SITE = {good!r}\n")
    assert [host.name for host in load_site(path).hosts] == ["e1", "e2", "ops"]


def test_python_error_names_the_line_of_the_inventory_not_of_a_library(tmp_path: Path) -> None:
    path = tmp_path / "site.py"
    path.write_text("import json\n\nSITE = json.loads('{')\n")
    with pytest.raises(InventoryError, match=r"site\.py:3: JSONDecodeError: "):
        load_site(path)


def test_toml_error_names_the_line_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(EXAMPLE.read_text().replace('role = "ops"', 'rule = "ops"'))
    line = path.read_text().splitlines().index('rule = "ops"') + 1
    with pytest.raises(InventoryError, match=rf"site\.toml:{line}: host 'ops-1': unknown key 'rule'.*'role'"):
        load_site(path)


def test_json_error_names_the_line_when_the_key_is_written_once(tmp_path: Path, good: dict[str, Any]) -> None:
    good["hosts"][2]["ssh_prot"] = 22
    path = tmp_path / "site.json"
    path.write_text(json.dumps(good, indent=1))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "ssh_prot" in text)
    with pytest.raises(InventoryError, match=rf"site\.json:{line}: host 'ops': unknown key 'ssh_prot'"):
        load_site(path)


def test_every_class_has_trial_timings_and_a_site_may_change_one(
    good: dict[str, Any], written: Callable[[object], Path]
) -> None:
    good["trials"] = {"bare-metal": {"confirm_gap_s": 30}}
    good["hosts"][2]["host_class"] = "cloud"
    site = load_site(written(good))
    assert site.trial_of(site.host("e1")) == Trial(confirm_gap_s=30)
    assert site.trial_of(site.host("ops")) == TRIALS["cloud"]
    assert (TRIALS["lab-vm"].confirm_gap_s, TRIALS["bare-metal"].confirm_gap_s) == (10, 60)


def test_shipped_profile_is_known_to_every_site(
    good: dict[str, Any], written: Callable[[object], Path]
) -> None:
    site = load_site(written(good))
    assert site.profile_of(site.host("e1")) is ENGINE


def test_address_is_normalised_so_that_one_machine_cannot_hide_behind_two_spellings(
    good: dict[str, Any], written: Callable[[object], Path]
) -> None:
    good["hosts"][0]["address"], good["hosts"][1]["address"] = "2001:db8::1", "2001:DB8:0:0::1"
    with pytest.raises(
        InventoryError, match="two hosts with the same address and port: '2001:db8::1 port 22'"
    ):
        load_site(written(good))


def test_same_address_on_two_ports_is_two_hosts(
    good: dict[str, Any], written: Callable[[object], Path]
) -> None:
    good["hosts"][0]["address"] = good["hosts"][1]["address"]
    good["hosts"][0]["ssh_port"] = 40022
    assert len(load_site(written(good)).hosts) == 3


def test_host_is_frozen() -> None:
    host = Host(name="a", address="192.0.2.1", role="ops", failure_domain="a")
    with pytest.raises(ValidationError):
        host.name = "b"


def test_key_path_may_begin_with_tilde(good: dict[str, Any], written: Callable[[object], Path]) -> None:
    good["hosts"][0]["ssh_key"] = "~/.ssh/id"
    assert load_site(written(good)).hosts[0].ssh_key == str(Path.home() / ".ssh/id")


HOST = {"name": "a", "address": "192.0.2.1", "role": "ops", "failure_domain": "a"}


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ([{"name": "../x", "use": "orders"}], "network device's name"),
        ([{"name": "-- x", "use": "orders"}], "network device's name"),
        ([{"name": "..", "use": "orders"}], "network device's name"),
        ([{"name": "a" * 16, "use": "orders"}], "network device's name"),
        ([{"pci": "0000:41:00.9", "use": "orders"}], "PCI address"),
        ([{"mac": "52:54:00", "use": "orders"}], "MAC address"),
        ([{"use": "orders"}], "one of name, pci and mac"),
        ([{"name": "e0", "mac": "52:54:00:12:34:56", "use": "orders"}], "one of name, pci and mac"),
        ([{"name": "e0", "use": "feed-c"}], "feed-a"),
        ([{"name": "e0"}], "use"),
        ([{"name": "e0", "use": "orders", "speed": 1}], "speed"),
        ([{"name": "e0", "use": "orders", "io_mode": "dpkd"}], "dpdk"),
        ([{"name": "e0", "use": "management", "io_mode": "dpdk"}], "never changed"),
        ([{"name": "e0", "use": "management"}, {"name": "E0", "use": "orders"}], "for nothing else"),
        ([{"name": "e0", "use": "feed-a"}, {"name": "e1", "use": "feed-a"}], "two ports for feed-a"),
        ({"trade": ["e0"], "ptp": "e0"}, r"\[\[hosts.ports\]\]"),
    ],
)
def test_a_port_that_no_host_can_have_is_refused(ports: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Host.model_validate({**HOST, "ports": ports})


@pytest.mark.parametrize("ptp", [{}, {"port": ".."}, {"port": "e0", "ports": 1}, "e0"])
def test_a_clock_that_no_host_can_have_is_refused(ptp: object) -> None:
    with pytest.raises(ValueError, match="ptp"):
        Host.model_validate({**HOST, "ptp": ptp})


CLOCK = {"port": "e0", "role": "client", "watch": ["192.0.2.9"]}


@pytest.mark.parametrize(
    ("ptp", "said"),
    [
        ({"domain": 24}, "role = one of grandmaster, boundary, client"),
        ({"domian": 24}, "domain"),
        ({"role": "slave"}, "grandmaster"),
        ({**CLOCK, "domain": 128}, "domain"),
        ({**CLOCK, "transport": "udp"}, "udp4"),
        ({**CLOCK, "delay": "E2E"}, "e2e"),
        ({**CLOCK, "stamps": "soft"}, "software"),
        ({**CLOCK, "utc_error_us_max": 0}, "utc_error_us_max"),
        ({**CLOCK, "grandmasters": ["00-1b-21"]}, "001b21.fffe.3a4b5c"),
        ({**CLOCK, "watch": []}, "nothing watches the clock"),
        ({**CLOCK, "watch": ["-x"]}, "IP address or a DNS name"),
        ({**CLOCK, "sources": ["192.0.2.1"]}, "of a grandmaster, and of nobody else"),
        ({**CLOCK, "serves": ["e1"]}, "goes with role boundary"),
        ({**CLOCK, "role": "boundary"}, "serves no port"),
        ({**CLOCK, "role": "boundary", "serves": ["E0"]}, "named twice"),
        ({**CLOCK, "role": "grandmaster"}, "with 0 sources"),
        ({**CLOCK, "role": "grandmaster", "sources": ["192.0.2.9"]}, "steers the clock and watches it"),
    ],
)
def test_a_part_in_ptp_that_contradicts_itself_is_refused(
    good: dict[str, Any], written: Callable[[object], Path], ptp: dict[str, object], said: str
) -> None:
    good["hosts"][0]["ptp"] = {"port": "e0", **ptp}
    with pytest.raises(InventoryError, match=said):
        load_site(written(good))


def test_a_clock_comes_back_as_it_was_written_down() -> None:
    host = Host.model_validate({**HOST, "ptp": {**CLOCK, "transport": "l2", "delay": "p2p", "domain": 24}})
    assert Host.model_validate(host.model_dump()) == host
    bare = Host.model_validate({**HOST, "ptp": {"port": "e0"}})
    assert Host.model_validate(bare.model_dump()) == bare
    assert host.ptp is not None and host.ptp.wish("ens1f0", ()) == ClockWish(
        role="client", port="ens1f0", domain=24, transport="l2", delay="p2p", watch=("192.0.2.9",)
    )


def test_ports_reach_the_planner_as_they_were_named() -> None:
    ports = [
        {"name": "ens1f0", "use": "orders"},
        {"pci": "0000:41:00.1", "use": "feed-a", "io_mode": "af_xdp"},
        {"mac": "52:54:00:12:34:56", "use": "replication"},
    ]
    host = Host.model_validate({**HOST, "ports": ports, "ptp": {"port": "0000:41:00.1"}})
    assert host.named_ports == Ports(
        ports=(
            Port(word="ens1f0", use="orders"),
            Port(word="0000:41:00.1", by="pci", use="feed-a", io_mode="af_xdp"),
            Port(word="52:54:00:12:34:56", by="mac", use="replication"),
        ),
        ptp="0000:41:00.1",
    )
