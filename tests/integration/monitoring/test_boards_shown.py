"""Every expression of a panel by promtool: it is read, and it shows nothing of a collector that stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.boards.every import BOARDS
from monitoring.boards.panel import Query, last
from monitoring.yaml_text import Value, document
from tests.support import needs
from tests.support.commands import called

pytestmark = needs.programs("promtool")
QUERIES = tuple(
    query
    for board in BOARDS
    for query in (*board.marks, *(one for panel in board.panels for one in panel.queries))
)


def asked(query: Query) -> str:
    """As the wall asks it, for all hosts."""
    return query.shown.replace("$host", ".*").replace("$step", "60s")


def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    rules: Value = [
        {"record": f"shown:{number}", "expr": asked(query)} for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(document({"groups": [{"name": "shown", "rules": rules}]}, head="every panel"))
    done = called("promtool", "check", "rules", path)
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text().replace("sum by (host)", "sum by host", 1))
    assert called("promtool", "check", "rules", path).returncode != 0


@pytest.mark.parametrize(("at", "is_shown"), [(20, True), (24, True), (40, False)])
def test_a_stopped_collector_draws_no_flat_line(at: int, is_shown: bool, tmp_path: Path) -> None:
    """It looks until second 20; its textfile stays, and so does what node_exporter answers."""
    labels = '{host="engine-1", slot="a"}'
    seen: Value = [{"labels": f"hft_engine_latched{labels}", "value": 1}] if is_shown else []
    test: Value = {
        "rule_files": [],
        "evaluation_interval": "1s",
        "tests": [
            {
                "interval": "1s",
                "input_series": [
                    {"series": f"hft_engine_latched{labels}", "values": "1+0x60"},
                    {
                        "series": 'hft_collector_timestamp_seconds{host="engine-1"}',
                        "values": "0+1x20 20+0x40",
                    },
                ],
                "promql_expr_test": [
                    {"expr": asked(last("hft_engine_latched")), "eval_time": f"{at}s", "exp_samples": seen}
                ],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(document(test, head="a collector that stops"))
    done = called("promtool", "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
