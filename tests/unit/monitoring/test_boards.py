"""Dashboards as values and as Grafana's JSON: what every panel must have, and that what lacks it is told."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.contract.states import NUMBER
from monitoring.alerts import ALERTS
from monitoring.boards import grafana, wall
from monitoring.boards.every import BOARDS
from monitoring.boards.panel import COLUMNS, Board, Level, Panel, Query, Shape
from monitoring.boards.trading import ENGINE_STATES
from monitoring.layout import Target, layout
from monitoring.metric import Kind, Proof
from monitoring.registry import METRICS
from tests.support.hft_here import hft_here, one_sentence

# Names of metrics in PromQL: those of our exporters, and two that stand before a brace.
WORDS = re.compile(r"\b(?:hft|node|scrape|prometheus|alertmanager)_[a-z0-9_]+|\b(?:up|ALERTS)\b(?=\{)")
SITE = layout(
    "colo",
    tuple(
        Target(host=name, address=address, host_class="bare-metal", role=role, failure_domain="a")
        for name, address, role in (
            ("engine-1", "192.0.2.11", "engine"),
            ("watch-1", "2001:db8::1", "monitoring"),
        )
    ),
)


def named(query: Query) -> set[str]:
    """The metrics in the text of a query; a part of a histogram counts as the histogram."""
    text = re.sub(r'"[^"]*"', '""', query.expression)
    found = set(WORDS.findall(text))
    histograms = {one.name for one in METRICS.values() if one.kind is Kind.HISTOGRAM}
    parts = {f"{one}{part}": one for one in histograms for part in ("_bucket", "_count", "_sum")}
    return {parts.get(name, name) for name in found}


def faults(board: Board) -> Iterator[str]:
    """What is wrong with a board."""
    known = {alert.name for alert in ALERTS}
    if not re.fullmatch(r"[a-z-]{1,40}", board.uid) or not board.description.endswith("."):
        yield f"{board.uid}: uid or description"
    for panel in board.panels:
        yield from (f"{panel.title}: {what}" for what in wrong_in(panel, known))
    for query in (*board.marks, *(one for panel in board.panels for one in panel.queries)):
        if "$host" not in query.expression or not query.legend:
            yield f"{query.expression}: no host or no legend"
        if named(query) != set(query.metrics):
            yield f"{query.expression}: reads {sorted(named(query))}, says {sorted(query.metrics)}"
        for name in set(query.metrics):
            if name not in METRICS or METRICS[name].proof is Proof.NOT_BUILT:
                yield f"{query.expression}: nobody exports {name}"


def wrong_in(panel: Panel, known: set[str]) -> Iterator[str]:
    if panel.unit not in grafana.UNITS:
        yield f"unit {panel.unit}"
    if not panel.description.endswith(".") or len(panel.description) < 20:
        yield "description"
    if bool(panel.queries) == (panel.shape is Shape.SILENCES):
        yield "queries"
    if not 4 <= panel.width <= COLUMNS or panel.height < 4:
        yield "size"
    if panel.unit == "state" and not panel.states:
        yield "states"
    if set(panel.alerts) - known:
        yield "alerts"


def test_boards_have_all_that_a_board_needs() -> None:
    assert not [fault for board in BOARDS for fault in faults(board)]
    assert len({board.uid for board in BOARDS}) == len(BOARDS)
    for board in BOARDS:
        assert len({panel.title for panel in board.panels}) == len(board.panels)


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "furlongs"},
        {"description": ""},
        {"queries": ()},
        {"width": 30},
        {"alerts": ("Nothing",)},
        {"unit": "state", "states": {}},
        {"queries": (Query(expression='hft_gone{host=~"$host"}', metrics=("hft_gone",), legend="x"),)},
        {"queries": (Query(expression='up{host=~"$host"}', metrics=("hft_link_up",), legend="x"),)},
        {"queries": (Query(expression="up{}", metrics=("up",), legend="{{host}}"),)},
    ],
)
def test_a_board_that_lacks_something_is_told(changes: dict[str, Any]) -> None:
    board = BOARDS[0]
    broken = dataclasses.replace(board.panels[-1], **changes)
    assert list(faults(dataclasses.replace(board, panels=(broken,))))


def test_states_of_engines_are_those_of_the_contract() -> None:
    assert {number: word for number, (word, _) in ENGINE_STATES.items()} == {
        number: state.value for state, number in NUMBER.items()
    }
    assert ENGINE_STATES[5][1] is Level.BAD


@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one.uid)
def test_grafana_gets_whole_panels_side_by_side(board: Board) -> None:
    made = grafana.dashboard(board)
    assert json.loads(json.dumps(made)) == made
    cells: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in mine) < COLUMNS
        assert not mine & cells, "panels overlap"
        cells |= mine
        targets = panel.get("targets", [])
        assert len({one["refId"] for one in targets}) == len(targets)
        assert all(re.fullmatch(r"[A-Z]", one["refId"]) for one in targets)
        assert all("$step" not in one["expr"] and one["expr"] for one in targets)
        if targets:
            assert "since before this window" in panel["fieldConfig"]["defaults"]["noValue"]
    assert len({panel["id"] for panel in made["panels"]}) == len(board.panels)


def nulls(value: object, path: str = "") -> Iterator[str]:
    match value:
        case None:
            yield path
        case dict():
            for key, inner in value.items():
                yield from nulls(inner, f"{path}.{key}")
        case list():
            for at, inner in enumerate(value):
                yield from nulls(inner, f"{path}.{at}")
        case _:
            pass


def test_grafana_gets_no_null_but_the_lowest_threshold() -> None:
    """The value that its schema wants for the first step; any other null is a field that nobody set."""
    found = {path for board in BOARDS for path in nulls(grafana.dashboard(board))}
    assert all(path.endswith("thresholds.steps.0.value") for path in found)


def test_what_a_collector_counts_is_hidden_once_it_stops_to_look() -> None:
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                by_textfile = any(METRICS[name].producer.refresh_s for name in query.metrics)
                assert ("hft_collector_timestamp_seconds" in query.shown) == by_textfile


def test_the_walls_document_has_every_board_and_both_kinds_of_address() -> None:
    made = wall.document(SITE)
    assert [one["uid"] for one in made["boards"]] == [board.uid for board in BOARDS]
    assert made["alertmanagers"] == ["http://[2001:db8::1]:9093"]
    assert made["hosts"] == ["engine-1", "watch-1"]


WRITTEN = """
name = "colo"
[[hosts]]
name = "watch-1"
address = "192.0.2.31"
role = "monitoring"
failure_domain = "rack-a"
"""


def test_dashboards_are_written_whole_or_the_way_to_uplot_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(WRITTEN)
    words = ("monitoring", "dashboards", tmp_path / "out", "--inventory", site, "--uplot", tmp_path)
    assert "make setup-wall" in one_sentence(capsys, *words)
    assert not (tmp_path / "out").exists()
    for name in wall.UPLOT:
        (tmp_path / name).write_text("fetched\n")
    said = hft_here(capsys, *words, "--json")
    assert said.code == 0, said.err
    out = tmp_path / "out"
    assert {path.name for path in (out / "wall").iterdir()} == {*wall.OWN, *wall.UPLOT, "boards.json"}
    boards = out / "grafana/boards"
    assert {path.stem for path in boards.iterdir()} == {board.uid for board in BOARDS}
    provided = yaml.safe_load((out / "grafana/provisioning/dashboards/hft.yml").read_text())
    assert provided["providers"][0]["options"]["path"] == grafana.FOLDER
