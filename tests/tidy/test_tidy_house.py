"""The house's figures, counted over houses made up here: what is a circle, whom an import leads to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.house import House, read, report

FILES = {
    "agent/__init__.py": '"""On the host."""\n',
    "agent/record.py": '"""Pure."""\n\nimport json\n\nfrom agent import values\n',
    "agent/values.py": '"""Values."""\n\n\ndef one() -> int:\n    return 1\n',
    "hft/cli.py": '"""Hall."""\n\nimport agent.record\n\n\ndef main() -> None:\n    from hft import run\n',
    "hft/run.py": '"""Runs."""\n\nimport subprocess\n',
}


def with_file(path: str, text: str, files: Mapping[str, str] = FILES) -> House:
    return read({**files, path: text})


def test_the_table_has_a_line_per_room_and_names_the_largest() -> None:
    lines = report(read(FILES)).splitlines()
    assert lines[0].split() == [
        *("room", "files", "lines", "functions", "median", "longest", "inside", "outside", "circles")
    ]
    assert lines[1].split() == ["agent", "3", "11", "1", "2", "2", "values.py:one", "1", "0", "0"]
    assert lines[2].split() == ["hft", "2", "10", "1", "2", "2", "cli.py:main", "1", "1", "0"]
    assert lines[3:] == [
        "largest room but the tests: agent, 52 % of the lines",
        "import circles: 0",
        "import circles closed by types alone: 0",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import hft.cli\n",
        "from hft import cli\n",
        "from hft.cli import main\n",
        "from . import cli\n",
        "from .cli import main\n",
        "def later() -> None:\n    from hft.cli import main\n",
    ],
)
def test_a_circle_is_found_however_the_import_is_written(text: str) -> None:
    house = with_file("hft/run.py", text)
    assert house.circles == (("hft.cli", "hft.run"),)
    assert "import circles: 1\n  hft.cli <-> hft.run" in report(house)


def test_a_circle_by_types_alone_is_told_apart() -> None:
    text = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from hft.cli import main\n"
    house = with_file("hft/run.py", text)
    assert (house.circles, house.circles_by_types) == ((), (("hft.cli", "hft.run"),))


def test_a_circle_over_three_rooms_is_one_group() -> None:
    house = with_file("hft/run.py", "import lab\n", {**FILES, "lab/__init__.py": "import hft.cli\n"})
    assert house.circles == (("hft.cli", "hft.run", "lab"),)


def test_the_way_to_what_is_forbidden_is_told() -> None:
    house = read(FILES)
    assert house.way_to("hft.cli", ["subprocess"]) == ("hft.cli", "hft.run", "subprocess")
    assert house.way_to("agent.record", ["subprocess"]) == ()


def test_the_package_around_an_imported_module_is_carried_out_too() -> None:
    house = with_file("agent/__init__.py", "from socket import socket\n")
    assert house.way_to("agent.values", ["socket"]) == ("agent.values", "agent", "socket.socket")
    assert house.way_to("hft.cli", ["socket"])[-2:] == ("agent", "socket.socket")


def test_what_is_imported_for_types_only_leads_nowhere() -> None:
    text = "import typing\n\nif typing.TYPE_CHECKING:\n    import socket\nelse:\n    import json\n"
    house = with_file("agent/values.py", text)
    assert house.way_to("agent.record", ["socket"]) == ()
    assert house.way_to("agent.record", ["json"]) == ("agent.record", "json")
    assert house.way_to("agent.values", ["json"]) == ("agent.values", "json")
