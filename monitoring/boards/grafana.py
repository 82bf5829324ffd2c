"""Grafana's JSON of a board (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model).

Rendered and checked only: Grafana's licence (AGPL) is the reason why nothing here runs it. Schema version 36,
which every Grafana since 9 reads. The data source is a variable, so that a file needs no id of an instance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from monitoring.boards.every import BOARDS
from monitoring.boards.panel import COLUMNS, STEP, Board, Level, Panel, Query, Shape
from monitoring.yaml_text import Value, document

SCHEMA_VERSION = 36
FOLDER = "/etc/grafana/boards"
HEAD = "Written by `hft monitoring dashboards`; do not edit, render again."
SOURCE = {"type": "prometheus", "uid": "${source}"}
TYPES = {
    Shape.LINES: "timeseries",
    Shape.TIMELINE: "state-timeline",
    Shape.STRIP: "status-history",
    Shape.TILES: "stat",
    Shape.TABLE: "table",
    Shape.SILENCES: "text",
}
UNITS = {"s": "s", "bytes": "bytes", "1": "short", "1/s": "cps", "share": "percentunit", "state": "short"}
COLOURS = {Level.OK: "green", Level.WARN: "orange", Level.BAD: "red", Level.PLAIN: "blue"}
SINCE = "since before this window"


def files() -> dict[str, str]:
    """File name -> text: the JSON of each board, and what makes Grafana read them."""
    boards = {f"boards/{one.uid}.json": json.dumps(dashboard(one), indent=1) + "\n" for one in BOARDS}
    return {**boards, "provisioning/dashboards/hft.yml": provisioning()}


def provisioning() -> str:
    """Grafana's file of a provider that reads the boards from FOLDER on its host."""
    provider: Value = {
        "name": "hft",
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": FOLDER},
    }
    return document({"apiVersion": 1, "providers": [provider]}, head=HEAD)


def dashboard(board: Board) -> dict[str, Any]:
    """One dashboard."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["hft"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,  # one crosshair in all panels
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [_source(), _hosts()]},
        "annotations": {"list": [_mark(query) for query in board.marks]},
        "links": [{"type": "dashboards", "tags": ["hft"], "title": "boards", "keepTime": True}],
        "panels": list(_panels(board)),
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _hosts() -> dict[str, Any]:
    return {
        "name": "host",
        "type": "query",
        "label": "host",
        "datasource": SOURCE,
        "query": {"query": "label_values(up, host)", "refId": "hosts"},
        "refresh": 2,  # whenever the range changes
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _mark(query: Query) -> dict[str, Any]:
    return {
        "name": "deploys",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": _expression(query),
        "titleFormat": query.legend,
        "step": f"{query.least_step_s}s",
    }


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    """Laid out from the left, a new row when one is full."""
    x = y = row_height = 0
    for number, panel in enumerate(board.panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        x, row_height = x + panel.width, max(row_height, panel.height)
        yield _panel(number, panel, place)


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    judged = f" Alerts: {', '.join(panel.alerts)} (docs/alerts.md)." if panel.alerts else ""
    head: dict[str, Any] = {
        "id": number,
        "type": TYPES[panel.shape],
        "title": panel.title,
        "description": panel.description + judged,
        "gridPos": place,
    }
    if panel.shape is Shape.SILENCES:
        said = "Silences are Alertmanager's own: `amtool silence query`, or the page that Prometheus serves."
        return {**head, "options": {"mode": "markdown", "content": said}}
    return {
        **head,
        "datasource": SOURCE,
        "targets": [_target(index, query, panel) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }


def _target(index: int, query: Query, panel: Panel) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + index),
        "datasource": SOURCE,
        "expr": _expression(query),
        "legendFormat": query.legend,
        "interval": f"{query.interval_s}s",
        "instant": panel.shape is Shape.TABLE,
        "range": panel.shape is not Shape.TABLE,
        "format": "table" if panel.shape is Shape.TABLE else "time_series",
    }


def _expression(query: Query) -> str:
    """`$host` is a variable of the same name there; `$step` is Grafana's window for rates."""
    return query.shown.replace(STEP, "$__rate_interval")


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"value": None, "color": "green"}]
    steps += [{"value": one.value, "color": "red"} for one in panel.limits]
    mapped = {
        f"{value:g}": {"text": text, "color": COLOURS[level], "index": at}
        for at, (value, (text, level)) in enumerate(panel.states.items())
    }
    found: dict[str, Any] = {
        "unit": UNITS[panel.unit],
        "noValue": f"{panel.empty} {SINCE}",
        "color": {"mode": "palette-classic" if panel.shape is Shape.LINES else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": mapped}] if mapped else [],
    }
    if panel.shape is Shape.LINES:  # a gap is a gap: no line leads over what nobody measured
        drawn = "dashed" if panel.limits else "off"
        found["custom"] = {"spanNulls": False, "lineWidth": 1, "thresholdsStyle": {"mode": drawn}}
    if panel.shape is Shape.STRIP:
        found["color"] = {"mode": "continuous-GrYlRd"}
    return found


def _options(panel: Panel) -> dict[str, Any]:
    match panel.shape:
        case Shape.LINES:
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case Shape.TILES:
            reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
            return {"reduceOptions": reduce, "colorMode": "background", "textMode": "auto"}
        case Shape.TABLE:
            return {"showHeader": True}
        case _:
            return {"showValue": "auto", "rowHeight": 0.9}
