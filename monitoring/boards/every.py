"""Every board, in the order in which they are shown."""

from __future__ import annotations

from monitoring.boards.host import BOOTS, FLEET, HOST_BOARD, NETWORK, TIME
from monitoring.boards.own import ALERTS_BOARD, COST
from monitoring.boards.panel import Board
from monitoring.boards.trading import HA, KILL, LATENCY

BOARDS: tuple[Board, ...] = (FLEET, HA, KILL, LATENCY, HOST_BOARD, NETWORK, TIME, BOOTS, ALERTS_BOARD, COST)


def shown() -> frozenset[str]:
    """The metrics that some panel or mark reads."""
    queries = (
        query
        for board in BOARDS
        for query in (*board.marks, *(one for panel in board.panels for one in panel.queries))
    )
    return frozenset(name for query in queries for name in query.metrics)
