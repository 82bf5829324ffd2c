"""The collector over a host laid out as files: what it counts, what it names as unread, what is absent."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collect import cpus, engine_page, gateway_page, machine, nic
from agent.collect.sample import UnreadError, sample, text_of
from agent.host import HostRoot
from agent.verbs.collect import Collector
from engine.contract import metrics
from monitoring.alerts_engine import BUDGET_LE
from monitoring.metric import BY_TEXTFILE, Kind, Proof
from monitoring.registry import METRICS
from tests.support import collected
from tests.support.exposition import labels_of, samples

VALUES = {
    "engine_state": (2, 3),
    "engine_latched": (2, 0),
    "engine_epoch": (2, 7),
    "engine_feed_gaps_total": (1, 1),
    "engine_orders_sent_total": (1, 20),
    "engine_risk_refused_total": (1, 2),
    "engine_input_seq": (1, 900),
    "engine_journal_durable_seq": (1, 880),
}
STATE = """{"committed":{"txn":"20261201T101500-0a0a0a0a","plan_hash":"0123456789abcdef"},
"last_rollback":{"txn":"20261130T101500-0b0b0b0b","brought_back_by":"watchdog"}}"""
PLAN = """{"schema":1,"cpus":[{"cpu":0,"role":"housekeeping"},{"cpu":1,"role":"engine"}],"settings":[
{"kind":"sysctl","key":"vm.stat_interval","value":"120","compare":"text"},
{"kind":"sysfs","path":"/sys/kernel/mm/transparent_hugepage/enabled","value":"never","compare":"choice"},
{"kind":"sysfs","path":"/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages","value":"16"}]}"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    collected.lay(tmp_path)
    run = tmp_path / "run/hft-engine-a"
    run.mkdir(parents=True)
    (run / "metrics").write_bytes(collected.page(VALUES, (500, 9_900, 10_001), heartbeat_ns=1_000_000_000))
    (tmp_path / "run/hft-gateway").mkdir()
    of_gateway = {name: (1 if name.endswith("_total") else 2, 3) for name in gateway_page.EXPORTED}
    (tmp_path / "run/hft-gateway/metrics").write_bytes(collected.page(of_gateway, heartbeat_ns=1_400_000_000))
    collected.lay(tmp_path, {"proc/4711/stat": collected.stat(), "var/lib/hft/plan.json": PLAN})
    collected.lay(tmp_path, {"proc/sys/vm/stat_interval": "1\n", "var/lib/hft/state.json": STATE})
    link = tmp_path / "opt/hft/slots/a"
    link.parent.mkdir(parents=True)
    link.symlink_to("../releases/" + "5" * 12 + "a" * 52)
    collected.lay(tmp_path, {"sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]\n"})
    return tmp_path


def look(root: Path, monotonic_ns: int = 1_500_000_000) -> dict[str, list[tuple[dict[str, str], float]]]:
    return samples(Collector(HostRoot(root=str(root))).look(1_000.0, monotonic_ns))


def value(seen: dict[str, list[tuple[dict[str, str], float]]], name: str, **labels: str) -> float:
    (found,) = (number for have, number in seen.get(name, []) if labels.items() <= have.items())
    return found


def test_everything_of_the_registry_is_there_with_its_labels(root: Path) -> None:
    seen = labels_of(Collector(HostRoot(root=str(root))).look(1.0, 2))
    wanted = {
        one.name: set(one.labels)
        for one in METRICS.values()
        if one.producer in BY_TEXTFILE and one.proof is Proof.FIXTURE
        if one.kind is not Kind.HISTOGRAM
    }
    later = {"hft_nic_counter_total", "hft_engine_user_span_last_seconds"}
    later |= {name for name in wanted if name.startswith("hft_ptp_")}  # asked of a daemon: tests below
    assert {name: seen.get(name) for name in wanted.keys() - later} == {
        name: wanted[name] for name in wanted.keys() - later
    }
    assert seen["hft_engine_user_span_seconds_bucket"] == {"slot", "le"}


def test_interrupts_of_the_isolated_cpu_are_told_by_kind(root: Path) -> None:
    seen = look(root)
    kinds = {have["kind"]: number for have, number in seen["hft_isolated_cpu_interrupts_total"]}
    assert {have["cpu"] for have, _ in seen["hft_isolated_cpu_interrupts_total"]} == {"1"}
    assert {name: kinds[name] for name in ("LOC", "RES", "CAL", "TLB", "IWI", "device")} == {
        "LOC": 167,
        "RES": 3,
        "CAL": 5,
        "TLB": 1,
        "IWI": 0,
        "device": 7,
    }
    assert kinds["other"] == 2 + 31
    assert value(seen, "hft_machine_checks_total", kind="MCE") == 2
    assert value(seen, "hft_isolated_cpu_switches_total", cpu="1") == 41


def test_every_cpu_is_counted_and_says_whether_it_is_isolated(root: Path) -> None:
    seen = look(root)
    totals = {(have["cpu"], have["isolated"]): number for have, number in seen["hft_cpu_interrupts_total"]}
    assert totals[("1", "1")] == 7 + 167 + 3 + 5 + 1 + 2 + 31
    assert totals[("0", "0")] == 2 + 9261486 + 1370702 + 1027965 + 95584 + 1 + 31


def test_release_plan_and_who_brought_the_host_back_are_labels(root: Path) -> None:
    seen = look(root)
    assert value(seen, "hft_slot_release_info", slot="a", release="5" * 12) == 1
    assert value(seen, "hft_plan_info", plan="0123456789ab") == 1
    found = {"transaction": "20261130T101500-0b0b0b0b", "brought_back_by": "watchdog"}
    assert value(seen, "hft_last_rollback_info", **found) == 1


@pytest.mark.parametrize("target", ["../releases/../../etc", "../releases/" + "A" * 64, "x" * 64])
def test_a_link_that_leads_to_no_release_is_no_label(target: str, root: Path) -> None:
    link = root / "opt/hft/slots/a"
    link.unlink()
    link.symlink_to(target)
    assert "hft_slot_release_info" not in look(root)


def test_memory_links_and_the_distance_to_the_plan(root: Path) -> None:
    seen = look(root)
    pool = {"node": "0", "size": "2M"}
    assert value(seen, "hft_hugepages", **pool) == 8
    assert value(seen, "hft_hugepages_free", **pool) == 3
    assert value(seen, "hft_hugepages_planned", **pool) == 16
    assert value(seen, "hft_link_up", device="ens1") == 1
    assert (value(seen, "hft_bond_ports"), value(seen, "hft_bond_active_ports")) == (2, 1)
    assert value(seen, "hft_plan_drift_items") == 2  # the sysctl and the pool
    assert value(seen, "hft_cpuidle_seconds_total", state="C6", depth="deep") == 0.0025
    assert value(seen, "hft_cpuidle_seconds_total", state="POLL", depth="shallow") == 1


def test_a_page_says_how_long_its_hot_loop_has_been_still(root: Path) -> None:
    seen = look(root, monotonic_ns=3_500_000_000)
    assert value(seen, "hft_engine_heartbeat_age_seconds", slot="a") == 2.5
    assert value(seen, "hft_engine_epoch", slot="a") == 7


def test_a_gateway_is_seen_by_its_page_and_a_dead_one_is_absent(root: Path) -> None:
    seen = look(root)
    assert value(seen, "hft_gateway_epoch") == 3
    assert value(seen, "hft_gateway_heartbeat_age_seconds") == 0.1
    (root / "proc/4711/stat").unlink()
    gone = look(root)
    assert value(gone, "hft_gateway_deployed") == 1
    assert not {name for name in gone if name.startswith("hft_gateway_")} - {"hft_gateway_deployed"}


def test_a_host_without_a_gateway_has_none_of_it(root: Path) -> None:
    (root / "run/hft-gateway/metrics").unlink()
    (root / "run/hft-gateway").rmdir()
    assert not [name for name in look(root) if name.startswith("hft_gateway_")]
    (root / "etc/systemd/system/hft-gateway.service").write_text("[Unit]\n")
    assert value(look(root), "hft_gateway_deployed") == 1


@pytest.mark.parametrize("change", ["pid", "start", "boot", "page"])
def test_a_dead_page_is_absent_and_the_slot_is_not(change: str, root: Path) -> None:
    match change:
        case "pid":
            (root / "proc/4711/stat").unlink()
        case "start":
            (root / "proc/4711/stat").write_text(collected.stat(start_time=100))
        case "boot":
            (root / "proc/sys/kernel/random/boot_id").write_text("another\n")
        case _:
            (root / "run/hft-engine-a/metrics").unlink()
    seen = look(root)
    assert "hft_engine_state" not in seen
    assert value(seen, "hft_slot_deployed", slot="a") == 1


def test_a_bucket_counts_what_is_surely_within_its_edge(root: Path) -> None:
    seen = look(root)
    assert value(seen, "hft_engine_user_span_seconds_bucket", le="1e-06") == 1
    assert value(seen, "hft_engine_user_span_seconds_bucket", le=BUDGET_LE) == 2
    assert value(seen, "hft_engine_user_span_seconds_bucket", le="1.5e-05") == 3
    assert value(seen, "hft_engine_user_span_seconds_bucket", le="+Inf") == 3
    assert len(seen["hft_engine_user_span_seconds_bucket"]) <= 40


def test_quantiles_are_those_since_the_last_look(root: Path) -> None:
    collector = Collector(HostRoot(root=str(root)))
    first = samples(collector.look(1.0, 2_000_000_000))
    assert "hft_engine_user_span_last_seconds" not in first
    page = collected.page(VALUES, (500, 9_900, 10_001, 40_000), heartbeat_ns=2_000_000_000)
    (root / "run/hft-engine-a/metrics").write_bytes(page)
    seen = samples(collector.look(2.0, 3_000_000_000))
    largest = value(seen, "hft_engine_user_span_last_seconds", quantile="1")
    assert 40e-6 <= largest <= 40e-6 * 1.008
    assert value(seen, "hft_engine_user_span_last_seconds", quantile="0.5") == largest


@given(st.integers(0, 1 << 38))
def test_the_bucket_rule_is_the_contracts(span: int) -> None:
    exponent = max(0, span.bit_length() - 8)
    bucket = 128 * exponent + (span >> exponent)
    assert span <= engine_page.top_of(bucket)
    assert bucket == 0 or engine_page.top_of(bucket - 1) < span


def test_the_layout_of_the_page_is_the_contracts() -> None:
    assert engine_page.HEADER.format == metrics.HEADER.format
    assert engine_page.ENTRY.format == metrics.ENTRY.format
    assert (engine_page.MAGIC, engine_page.VERSION) == (metrics.MAGIC, metrics.VERSION)
    assert (engine_page.DIRECTORY, engine_page.PAGE_MAX) == (metrics.HEADER_BYTES, metrics.PAGE_BYTES_MAX)
    known = {one.name for one in (*metrics.CORE, *metrics.TRADING)}
    assert {*engine_page.EXPORTED, engine_page.SPAN} <= known


@pytest.mark.parametrize(
    "broken",
    [
        ("proc/interrupts", "", "interrupts", "hft_isolated_cpu_interrupts_total"),
        ("proc/schedstat", "version 15\ncpu0 0 0\n", "schedstat", "hft_isolated_cpu_switches_total"),
        ("proc/schedstat", "cpu1 0 0 0 0 0 0 0 0 -5\n", "schedstat", "hft_isolated_cpu_switches_total"),
        ("sys/class/net/ens1/carrier", "\n", "links", "hft_link_up"),
        ("var/lib/hft/plan.json", "{", "plan", "hft_plan_drift_items"),
        ("run/hft-engine-a/metrics", "HFTM", "engines", "hft_engine_state"),
    ],
)
def test_what_cannot_be_read_is_named_and_absent(
    broken: tuple[str, str, str, str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, text, source, gone = broken
    (root / path).write_text(text)
    seen = look(root)
    assert value(seen, "hft_collector_unread", source=source) == 1
    assert gone not in seen
    assert f"{source} is not read" in capsys.readouterr().err
    assert value(seen, "hft_collector_timestamp_seconds") == 1_000.0


def test_a_source_is_told_once_and_again_when_it_is_back(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collector = Collector(HostRoot(root=str(root)))
    (root / "proc/interrupts").rename(root / "proc/away")
    for moment in (1, 2, 3):
        collector.look(moment, moment)
    (root / "proc/away").rename(root / "proc/interrupts")
    collector.look(4, 4)
    assert capsys.readouterr().err.count("interrupts is not read") == 1


@pytest.mark.parametrize("path", ["proc/interrupts", "proc/schedstat", "run/hft-engine-a/metrics"])
def test_cut_and_scrambled_sources_end_no_look(path: str, root: Path) -> None:
    """Every cut of a small file, and 200 seeded changes of bytes: a look with the rest of the host."""
    chance = random.Random(15)
    whole = (root / path).read_bytes()
    cuts = [whole[:at] for at in range(0, len(whole), max(1, len(whole) // 100))]
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 8)):
            broken[chance.randrange(min(len(broken), 5200))] = chance.randrange(256)
        cuts.append(bytes(broken))
    for data in cuts:
        (root / path).write_bytes(data)
        assert value(look(root), "hft_link_up", device="ens1") == 1


@given(st.text())
def test_any_text_is_a_table_or_unread(text: str) -> None:
    try:
        cpus.parse_interrupts(text)
    except UnreadError:
        return


@given(st.text(), st.floats())
def test_whatever_a_label_is_the_exposition_stays_whole(label: str, number: float) -> None:
    seen = samples(text_of([sample("hft_x", number, label=label)]))
    assert len(seen.get("hft_x", [])) <= 1


def test_counters_of_a_driver_get_their_class() -> None:
    found = {"ens1": ("mlx5_core", {"rx_out_of_buffer": 3, "rx_packets": 9, "rx_prio0_pause": 1})}
    seen = {dict(one.labels)["counter"]: dict(one.labels)["class"] for one in nic.counters(found)}
    assert seen == {"rx_out_of_buffer": "drop", "rx_prio0_pause": "pause"}


def test_isolated_cpus_are_the_plans_or_the_kernels(root: Path) -> None:
    host = HostRoot(root=str(root))
    assert machine.isolated_of(host, machine.committed_plan(host)).list_text() == "1"
    assert machine.isolated_of(host, {}).list_text() == "1"
    with pytest.raises(UnreadError):
        machine.isolated_of(host, {"cpus": [{"cpu": "x", "role": "engine"}], "settings": []})
