"""What the programs of a run are told, and what the command line makes of a verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench.engine.__main__ as program
from bench.engine.books import Books, Rates
from bench.engine.figures import Spread
from bench.engine.layout import Layout, lay_out
from bench.engine.load_report import RELAY
from bench.engine.results import Results
from bench.engine.settings import DIRECT, GATEWAY, Ports, engine_config, limits_bytes, load_words, relay_words
from bench.engine.sizes import FULL, QUICK, BookSize, Sizes

PORTS = Ports(lines=(7001, 7002), retransmit=7003, orders=7004)
FOLDER = Path("/run/bench")


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_hot_thread_never_shares_its_cpu() -> None:
    two, many = lay_out({4, 9}, spins=True), lay_out(range(8), spins=True)
    assert (two.generator, two.hot, two.rest, two.idle()) == (4, 9, 4, "spin")
    assert (many.generator, many.hot, many.rest) == (0, 1, 2)
    for layout in (two, many):
        roles = layout.roles()
        assert roles.pop("hot") == [layout.hot]
        assert all(cpus != [layout.hot] for cpus in roles.values())


def test_single_cpu_is_not_pinned_and_nobody_spins() -> None:
    alone = lay_out({0}, spins=True)
    assert (alone.roles(), alone.idle(), alone.is_alone) == ({}, "backoff", False)
    assert "--cpu" not in load_words(RELAY, FULL.latency, alone, PORTS, FOLDER)


def test_generator_gives_way_only_to_a_gateway_on_its_own_cpu() -> None:
    two, many = lay_out({0, 1}, spins=True), lay_out(range(4), spins=True)
    assert (two.generator_idle(), two.for_gateway().generator_idle()) == ("spin", "yield")
    assert many.for_gateway().generator_idle() == "spin"
    assert two.for_gateway().idle() == "spin", "the engine spins all the same"
    assert lay_out({0, 1}, spins=False).for_gateway().generator_idle() == "backoff"


def test_relay_and_engine_get_the_same_schedule_sockets_and_idle() -> None:
    layout = lay_out({0, 1}, spins=True)
    load = {
        label: load_words(label, FULL.latency, layout, PORTS, FOLDER) for label in (RELAY, DIRECT, GATEWAY)
    }
    same = [[word for word in words if word not in ("--link", *load)] for words in load.values()]
    assert same[0] == same[1] == same[2]
    assert [("--link" in load[label]) for label in (RELAY, DIRECT, GATEWAY)] == [False, True, False]
    relay, engine = relay_words(layout, PORTS), engine_config(layout, PORTS, FOLDER, FOLDER / "signers")
    assert option(relay, "--idle") == engine["idle"] == option(load[DIRECT], "--idle")
    assert [int(option(relay, "--cpu"))] == engine["cpus"]["hot"]
    assert [feed["port"] for feed in engine["feeds"]] == [7001, 7002]
    assert (engine["rerequest"]["port"], engine["gateway"]["port"]) == (7003, 7004)


def test_limits_allow_every_trigger_symbol_and_last_the_day() -> None:
    limits = json.loads(limits_bytes(3, now_utc_ns=10**18))
    assert limits["engine"]["symbols"] == ["TRG0", "TRG1", "TRG2"]
    assert limits["not_after_utc_ns"] == 10**18 + 86_400 * 10**9


@pytest.mark.parametrize("sizes", [FULL, QUICK], ids=["full", "quick"])
def test_sizes_hang_together(sizes: Sizes) -> None:
    for size in (sizes.latency, sizes.sustained, sizes.trial):
        assert size.triggers > size.warmup > 0
        stall_ms = 1_000 * size.trigger_symbols / size.triggers_per_s
        assert stall_ms >= 50, "a stall shorter than this is seen as latency, not as missing orders"
    assert sizes.compared.messages <= sizes.book.messages


def test_full_size_is_what_the_goals_ask_for() -> None:
    run = FULL.sustained
    assert run.duration_s > 60 and run.triggers_per_s > 1_000 and run.noise_per_s > 1_000_000
    assert (run.noise_symbols, FULL.book.symbols, FULL.book.live) == (8_000, 8_000, 1_000_000)
    assert FULL.pairs >= 10 and FULL.pairs * (FULL.latency.triggers - FULL.latency.warmup) >= 100_000


def results(rate_per_s: float) -> Results:
    spread = Spread.of([rate_per_s])
    rates = Rates(
        size=BookSize(messages=8_000_000, live=1, symbols=1, runs=1), mix="recent-delete", prefetch=True,
        types={"A": 100.0}, digest="ab", live_at_end=1, stolen_max=0.0,
        stages={"decode": spread, "book": spread, "decode+book": spread},
    )  # fmt: skip
    layout = Layout(generator=0, hot=1, rest=0, spins=False)
    return Results(layout=layout, books=Books(rates=(rates,), beside=()))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """The program without its programs: `rate` is what it measures."""
    facts = {"rate": 1e6}
    monkeypatch.setattr(program, "programs_in", lambda build: build)
    monkeypatch.setattr(program, "measure", lambda *_: results(facts["rate"]))
    yield facts


@pytest.mark.parametrize(
    ("rate", "options", "code"), [(9e6, (), 0), (9e6, ("--gate",), 5), (11e6, ("--gate",), 0)]
)
def test_missed_goal_is_a_code_only_when_asked(
    rate: float, options: tuple[str, ...], code: int, measured: dict[str, float], tmp_path: Path
) -> None:
    measured["rate"] = rate
    argv = ["--json", "--build", str(tmp_path), "--out", str(tmp_path / "out"), *options]
    done = CliRunner().invoke(program.bench, argv, standalone_mode=False)
    assert done.return_value == code, done.output
    kept = json.loads((tmp_path / "out" / "engine.json").read_text())
    assert kept["goals"][0]["verdict"] == ("ok" if rate > 1e7 else "missed")
    assert {"cpu", "load_1min", "load_1min_after"} <= set(kept["machine"])
