"""The document that our own page draws, and the files of that page.

Prometheus serves a folder of files below `/user/` (`--web.user-assets`), on the origin of its API: no other
program listens, and nothing but the API is asked. What draws the lines is uPlot, an npm package that is
fetched by its locked hash and not kept here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from monitoring.boards.every import BOARDS
from monitoring.boards.panel import Board, Panel, Query
from monitoring.layout import Layout, endpoint

OWN = ("index.html", "wall.js", "wall.css")
UPLOT = ("uPlot.iife.min.js", "uPlot.min.css")


def files(layout: Layout, assets: Mapping[str, str]) -> dict[str, str]:
    """Name -> text of everything that the page needs; ASSETS has the files of OWN and UPLOT.

    Raises: KeyError for one of them that is not there.
    """
    boards = json.dumps(document(layout), indent=1) + "\n"
    return {**{name: assets[name] for name in (*OWN, *UPLOT)}, "boards.json": boards}


def document(layout: Layout) -> dict[str, Any]:
    """What the page draws."""
    return {
        "schema": 1,
        "site": layout.site,
        "hosts": [one.host for one in layout.targets],
        "alertmanagers": [
            f"http://{endpoint(one.target.address, one.alertmanager_port)}" for one in layout.members
        ],
        "boards": [_board(one) for one in BOARDS],
    }


def _board(board: Board) -> dict[str, Any]:
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "marks": [_query(one) for one in board.marks],
        "panels": [_panel(one) for one in board.panels],
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "title": panel.title,
        "shape": panel.shape.value,
        "unit": panel.unit,
        "description": panel.description,
        "width": panel.width,
        "height": panel.height,
        "queries": [_query(one) for one in panel.queries],
        "limits": [{"value": one.value, "text": one.text} for one in panel.limits],
        "states": [
            {"value": value, "text": text, "level": level.value}
            for value, (text, level) in panel.states.items()
        ],
        "alerts": list(panel.alerts),
        "empty": panel.empty,
    }


def _query(query: Query) -> dict[str, Any]:
    return {
        "expression": query.shown,
        "legend": query.legend,
        "interval_s": query.interval_s,
        "least_step_s": query.least_step_s,
        "stale_s": query.stale_s,
    }
