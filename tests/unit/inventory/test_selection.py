"""Which hosts and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hft.views.names import fold, fold_in_order
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
        ("e[1-2]", ["e1", "e2"]),
        ("e[1,3],spare", ["e1", "e3", "spare"]),
        ("!e[01-99,2-3]", ["e1", "spare"]),
        ("domain:[a-b],!e[2-3]", ["e1", "spare"]),
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
        "e[4-9]",
        "e[01-03]",
        "e[3-1]",
        "e[1-99999999]",
        "@",
        "@/nonexistent",
        "@/dev/null",
        "@/dev/zero",
        "@\0",
    ],
)
def test_limit_that_matches_nothing_is_refused(limit: str) -> None:
    with pytest.raises(InventoryError):
        select(SITE, limit)


def test_a_file_holds_words(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("e1 e[2-3] # the first three\n\n!e2,\n")
    assert names(select(SITE, f"@{path}")) == ["e1", "e3"]
    assert names(select(SITE, f"spare,@{path},!e3")) == ["e1", "spare"]
    for text, said in (
        ("", "names no host"),
        (f"@{path}", "names another list"),
        ("e9", "no host is called"),
    ):
        path.write_text(text)
        with pytest.raises(InventoryError, match=said):
            select(SITE, f"@{path}")


@given(st.lists(st.integers(0, 1200), min_size=1, max_size=60, unique=True), st.sampled_from(["d", "03d"]))
def test_what_is_folded_is_read_back(numbers: list[int], form: str) -> None:
    written = [f"engine-{number:{form}}x" for number in numbers] + ["spare"]
    site = Site(name="rack", hosts=tuple(host(name, "a") for name in written))
    assert set(names(select(site, fold(written)))) == set(written)


def test_few_names_stay_as_they_are_and_many_are_one_word() -> None:
    assert fold(["e1", "e2"]) == "e1, e2"
    assert fold([f"e{n:03}" for n in (1, 2, 3, 5, 100)]) == "e[001-003,005,100]"
    assert fold(["a1", "a2", "a3", "b", "c7"]) == "a[1-3], b, c7"
    assert fold_in_order(["e3", "e4", "e9", "e1", "e2", "x"]) == "e3, e4, e9, e1, e2, x"


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
