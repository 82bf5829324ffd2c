"""The site of two hosts in network namespaces: the lab's run, rehearsed.

The engine is deployed as far as that goes without systemd: placement, unit and configuration are the deploy's
own, the ticket issuer is the shipped zipapp on bare Python, and the engine starts from a release directory.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploys.slot.config import render_config
from deploys.slot.package import Package, read_package
from deploys.slot.placement import place
from deploys.slot.program import program
from deploys.slot.slot_state import Address
from engine.host import places
from engine.host.look import look
from engine.ticket.signing import TICKET_NAMESPACE, allowed_signer
from tests.support import needs
from tests.support.engine.site import Explained, Load, Site, explain
from tests.support.engine.slot import expected, manifest_of
from tests.support.namespaces import LANS, NUMBERS, Namespace, are_possible, two_hosts

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not are_possible(), reason="network namespaces need root"),
    needs.cpus(2),
]
LOAD = Load(messages=1_000_000, per_s=50_000)


@pytest.fixture(scope="module")
def site(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Venue, gateway and engine; the engine is STANDBY and the market closed."""
    folder = tmp_path_factory.mktemp("site")
    with two_hosts(folder) as (ops, engine):
        made = Site(
            ops=ops,
            engine=engine,
            programs=native / "bin",
            folder=folder,
            ops_at={line: f"{net}.{NUMBERS['ops']}" for line, (_, net) in LANS.items()},
            load=LOAD,
            admin=f"{engine.folder}/run/hft-engine-a/admin.sock",
        )
        made.start_venue()
        made.start_gateway(signer_of(made, folder))
        start_engine(made, artifact_of(native, folder))
        yield made


def artifact_of(native: Path, folder: Path) -> Package:
    """The engine as the build makes it."""
    place = folder / "artifact"
    place.mkdir()
    shutil.copy(native / "bin" / "hft-engine", place)
    (place / "engine.json").write_bytes(manifest_of(place / "hft-engine"))
    return read_package(place)


def signer_of(site: Site, folder: Path) -> str:
    """The line of the host that vouches."""
    return allowed_signer(site.engine_name, Path(f"{site.keys.host}.pub"), TICKET_NAMESPACE).strip()


def here(text: str, host: Namespace) -> str:
    """The places of a host, moved below this host's folder."""
    for prefix in ("/etc/hft", "/run/hft-", "/var/lib/hft-", "/opt/hft"):
        text = text.replace(f'"{prefix}', f'"{host.folder}{prefix}')
    return text


def start_engine(site: Site, package: Package) -> None:
    """What the deploy decides, started by hand."""
    host = site.engine
    assert isinstance(host, Namespace)
    seen = json.loads(host.run(["ip", "-json", "-4", "address", "show"]))
    addresses = tuple(
        Address(interface=one["ifname"], address=info["local"], prefix=info["prefixlen"])
        for one in seen
        for info in one["addr_info"]
    )
    placement = place(package.manifest, expected().plan, taken={})
    config = render_config(
        site.trade,
        host=site.engine_name,
        idle="backoff",
        slot="a",
        manifest=package.manifest,
        placement=placement,
        addresses=addresses,
    )
    put(site, places.config_of("a"), here(config.decode(), host).encode())
    for name in ("limits.json", "limits.json.sig", "allowed_signers"):
        put(site, f"{places.ETC}/a/{name}", (site.folder / name).read_bytes())
    release = places.release_dir(package.digest)
    put(site, f"{release}/hft-engine", (site.programs / "hft-engine").read_bytes(), "755")
    put(site, f"{release}/engine.json", manifest_of(site.programs / "hft-engine"))
    files = {"config": places.config_of("a"), "limits": places.limits_of("a")}
    slot = {"release": release, **files, "uid": os.getuid()}
    issuer = {"host": site.engine_name, "key": str(site.keys.host), "slots": {"a": slot}}
    ticket = here(json.dumps(issuer), host).encode()
    config_at, program_at = put(site, places.TICKET_CONFIG, ticket), put(site, "/usr/ticket.pyz", program())
    for folder in (places.run_dir("a"), places.TICKET_DIR, places.state_dir("a")):
        Path(f"{host.folder}{folder}").mkdir(parents=True)
    socket = f"{host.folder}{places.TICKET_SOCKET}"
    host.start("ticket", ["/usr/bin/python3", "-I", "-S", program_at, "serve", config_at, socket])
    argv = [f"{host.folder}{release}/hft-engine", "--config", f"{host.folder}{places.config_of('a')}"]
    host.start("engine", argv)
    site.until(lambda: site.ask("status")["ready"], "the engine")


def put(site: Site, path: str, data: bytes, mode: str = "644") -> str:
    return site.put(site.engine, path.removeprefix("/"), data, mode)


def test_a_million_messages_orders_out_gaps_explained_and_one_book(site: Site) -> None:
    site.promote()
    site.run_market(within_s=300)
    site.in_step()
    status = site.venue("status")
    assert status["source_sent"] >= LOAD.messages
    page = f"{site.engine.folder}{places.run_dir('a')}/metrics"
    assert site.metric(page, "engine_feed_messages_total") == status["next_sequence"] - 1
    assert site.metric(page, "engine_feed_lost_total") == 0

    orders = [line for line in site.venue_log() if line["event"] == "accepted" and line["type"] == "O"]
    assert len(orders) >= 100
    assert {line["epoch"] for line in orders} == {1}, "only the fenced engine traded"

    assert site.ask("demote")["ok"]
    ours, theirs = site.books()
    assert ours == theirs, "full depth of every symbol, order by order"

    told = explain(site.gaps(f"{site.engine.folder}{places.state_dir('a')}/journal"), site.venue_log())
    print(told, f"{len(orders)} orders", status["lines"])
    assert told.gaps >= 1 and told.cut >= LOAD.cut_count, "the stretch that was cut out of both lines"
    assert told.unmatched == ()
    # The page counts every hole, also one that the other line filled at once; the journal what stayed open.
    assert told.gaps <= site.metric(page, "engine_feed_gaps_total")
    assert site.metric(page, "engine_feed_requests_total") >= told.by_faults + told.by_network
    an_engine_that_crashed_asks_for_the_whole_day_and_has_the_same_book(site)


def an_engine_that_crashed_asks_for_the_whole_day_and_has_the_same_book(site: Site) -> None:
    """The end of the day above, in its test: the site of another worker would have no day behind it."""
    host = site.engine
    assert isinstance(host, Namespace)
    before = site.books()
    asked = site.venue("status")["retransmit_requests"]
    argv = host.crash("hft-engine")
    host.start("engine-again", argv)
    site.until(lambda: site.ask("status")["ready"], "the engine")
    site.in_step(within_s=400)
    assert site.books() == before
    assert site.venue("status")["retransmit_requests"] > asked + 10_000
    refused = site.ask("promote", epoch=1)
    assert refused["ok"] is False, "its epoch is used up"


def test_explaining_notices_a_gap_that_nobody_asked_for() -> None:
    def line(event: str, **more: object) -> dict[str, object]:
        return {"event": event, "session": None, "code": None, "first": 10, "count": 5, **more}

    faults = [line("fault", session=name, code="loss") for name in "AB"]
    asked = line("rerequest")
    both = {"gaps": 1, "cut": 1, "by_faults": 1, "by_network": 0, "by_other_line": 0}
    assert explain([12], [*faults, asked]) == Explained(**both, unmatched=())
    assert explain([12], faults).unmatched == (12, 10), "the gap, and the datagram that made it"
    assert explain([1], faults).unmatched == (10,), "a cut inside of a longer gap must be asked for too"
    assert explain([15], [*faults, asked]).by_other_line == 1, (
        "one behind the end: neither lost nor asked for"
    )
    assert explain([12], [faults[0], asked]).by_network == 1, "one line lost it on purpose, the other did not"


def test_the_look_of_a_deploy_reads_this_machine() -> None:
    asked = {"slot": "a", "digest": "sha256:0", "files": [], "texts": [], "units": [], "standins": "x@"}
    found = look({**asked, "programs": []})
    assert found["machine"] == os.uname().machine
    assert any(one["address"] == "127.0.0.1" for one in found["addresses"])
