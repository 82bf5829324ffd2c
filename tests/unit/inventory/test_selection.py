"""Which hosts and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import InventoryError
from inventory.model import Host, Site
from inventory.selection import select, select_one, waves


def host(name: str, domain: str, *, canary: bool = False) -> Host:
    address = f"{name}.example.net"
    return Host(name=name, address=address, role="engine", failure_domain=domain, canary=canary)


SITE = Site(name="rack", hosts=(host("e1", "a"), host("e2", "b"), host("e3", "a"), host("spare", "b")))


def names(hosts: tuple[Host, ...]) -> list[str]:
    return [host.name for host in hosts]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, ["e1", "e2", "e3", "spare"]),
        ("e2", ["e2"]),
        ("spare,e1", ["e1", "spare"]),
        (" e3 , e3,", ["e3"]),
        ("e?", ["e1", "e2", "e3"]),
        ("*,e1", ["e1", "e2", "e3", "spare"]),
        ("!e2", ["e1", "e3", "spare"]),
        ("e?,!e3", ["e1", "e2"]),
        ("!e3 , e?", ["e1", "e2"]),
        ("role:engine", ["e1", "e2", "e3", "spare"]),
        ("domain:a", ["e1", "e3"]),
        ("group:domain_b,!spare", ["e2"]),
        ("class:bare-*,!domain:a", ["e2", "spare"]),
    ],
)
def test_limit_selects_in_the_order_of_the_inventory(limit: str | None, expected: list[str]) -> None:
    assert names(select(SITE, limit)) == expected


@pytest.mark.parametrize(
    "limit",
    [
        "",
        " ",
        ",",
        "e9",
        "e1,nope",
        "E1",
        "z*",
        "e1\ne2",
        "[",
        "--all",
        "!e9",
        "!",
        "e1,!e1",
        "!*",
        "rack:a",
        "role:ops",
        "profile:engine",
        "domain:",
        "e1,!domain:z",
    ],
)
def test_limit_that_matches_nothing_is_refused(limit: str) -> None:
    with pytest.raises(InventoryError):
        select(SITE, limit)


def test_unknown_host_names_the_nearest() -> None:
    with pytest.raises(InventoryError, match="no host is called 'spair'; hint: did you mean 'spare'"):
        select_one(SITE, "spair")


def test_canary_goes_alone_then_its_domain_then_the_others() -> None:
    hosts = (host("e1", "a"), host("e2", "b"), host("e3", "a"), host("e4", "b", canary=True))
    assert [names(wave) for wave in waves(hosts)] == [["e4"], ["e2"], ["e1", "e3"]]


def test_first_host_is_the_canary_when_none_is_marked() -> None:
    assert [names(wave) for wave in waves(SITE.hosts)] == [["e1"], ["e3"], ["e2", "spare"]]


def test_no_hosts_are_no_waves() -> None:
    assert waves(()) == ()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=12).map(
        lambda kinds: tuple(host(f"h{i}", domain, canary=canary) for i, (domain, canary) in enumerate(kinds))
    )
)
def test_waves_hold_every_host_once_and_never_two_domains(hosts: tuple[Host, ...]) -> None:
    ordered = waves(hosts)
    assert sorted(names(tuple(h for wave in ordered for h in wave))) == sorted(names(hosts))
    assert all(len({h.failure_domain for h in wave}) == 1 for wave in ordered)
    assert len(ordered[0]) == 1
    canaries = sum(h.canary for h in hosts) or 1
    assert all(len(wave) == 1 for wave in ordered[:canaries])
    domains = [wave[0].failure_domain for wave in ordered[canaries:]]
    assert len(domains) == len(set(domains)), "a domain is entered once and left for good"
