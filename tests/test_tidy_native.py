"""The gate of the native programs: one format, one suffix, small files, rooms that include what they may."""

from __future__ import annotations

import graphlib
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.checkout import ROOT, tracked

NATIVE = ROOT / "engine/native"
HEADER, SOURCE = ".h", ".cpp"
BUILD_LIST = "CMakeLists.txt"
FILE_LINES_MAX = 400
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
# Which room of engine/native may include which; a room may always include itself. What is not here is
# forbidden: the core knows neither the engine around it nor the gateway, which shares the wire alone.
MAY_INCLUDE: dict[str, frozenset[str]] = {
    "wire": frozenset(),
    "journal": frozenset(),
    "feed": frozenset({"wire"}),
    "book": frozenset({"wire"}),
    "dpdk": frozenset({"wire", "feed"}),
    "core": frozenset({"wire", "book", "journal"}),
    "gateway": frozenset({"wire"}),
    "venue": frozenset({"wire"}),
    "engine": frozenset({"wire", "feed", "book", "dpdk", "journal", "core"}),
    # The relay takes its feed in by the engine's own input, and the load has the venue's end of a connection.
    "load": frozenset({"wire", "venue", "engine"}),
    "fuzz": frozenset({"wire", "feed", "book"}),
}
# For tests alone: never part of what a program is made of.
TESTS = "tests"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def native(*suffixes: str) -> list[Path]:
    return [path for path in tracked("engine/native") if path.suffix in suffixes]


def wrong_includes(where: str, source: str, known: frozenset[str]) -> list[str]:
    """What SOURCE, the text of the file WHERE below engine/native, includes against the rules.

    KNOWN are all headers there. A header is named by its whole path, in its own room or one that
    MAY_INCLUDE allows; what is made for tests stays with tests.
    """
    room, _, rest = where.partition("/")
    wrong: list[str] = []
    for target in INCLUDE.findall(source):
        other = target.partition("/")[0]
        if target not in known:
            wrong.append(f"{where} includes {target}: not a header of engine/native by its whole path")
        elif other != room and other not in MAY_INCLUDE.get(room, frozenset()):
            wrong.append(f"{where} includes {target}: {room} must not include {other}")
        elif f"/{TESTS}/" in target and not rest.startswith(f"{TESTS}/"):
            wrong.append(f"{where} includes {target}: made for tests")
    return wrong


def headers(paths: Iterable[Path]) -> frozenset[str]:
    return frozenset(str(path.relative_to(NATIVE)) for path in paths)


def test_native_code_is_formatted() -> None:
    argv = [str(Path(sys.executable).parent / "clang-format"), "--dry-run", "--Werror"]
    done = subprocess.run(
        [*argv, *map(str, native(HEADER, SOURCE))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:6000]


def test_native_code_has_one_suffix() -> None:
    other = [
        str(path.relative_to(ROOT))
        for path in tracked("engine/native")
        if path.suffix not in (HEADER, SOURCE) and path.name != BUILD_LIST
    ]
    assert not other
    assert native(SOURCE)


def test_native_files_stay_small() -> None:
    lines = {path: path.read_text().count("\n") for path in native(HEADER, SOURCE)}
    assert not {str(path): count for path, count in lines.items() if count > FILE_LINES_MAX}


def test_warnings_are_on_and_errors_in_every_room() -> None:
    """One list of flags for all rooms; no room and no file takes a warning back."""
    lists = {path: path.read_text() for path in tracked("engine/native") if path.name == BUILD_LIST}
    top = lists.pop(NATIVE / BUILD_LIST)
    assert set(WARNINGS) <= set(re.findall(r"-W[\w-]+", top))
    assert re.findall(r"-Wno-[\w-]+", top) == ["-Wno-restrict"]
    assert not [str(path) for path, text in lists.items() if re.search(r"-Wno-|-w\b", text)]
    assert not [
        str(path)
        for path in native(HEADER, SOURCE)
        if re.search(r"#\s*pragma\s+(?:GCC|clang)\s+(?:diagnostic|system_header)", path.read_text())
    ]


def test_every_native_source_is_in_its_rooms_build_list() -> None:
    """A source that nothing compiles is read by no compiler and run by no test."""
    forgotten: list[str] = []
    for path in native(SOURCE):
        room = path.relative_to(NATIVE).parts[0]
        listed = re.findall(r"[\w/.]+", (NATIVE / room / BUILD_LIST).read_text())
        named = str(path.relative_to(NATIVE / room)) in listed
        fuzzed = room == "fuzz" and path.stem.removeprefix("fuzz_") in listed  # a loop over the targets
        if not named and not fuzzed:
            forgotten.append(str(path.relative_to(ROOT)))
    assert not forgotten


def test_every_native_room_has_its_arrows() -> None:
    rooms = {path.relative_to(NATIVE).parts[0] for path in native(HEADER, SOURCE)}
    assert rooms == set(MAY_INCLUDE)
    order = graphlib.TopologicalSorter(MAY_INCLUDE).static_order()  # raises on a circle
    assert set(order) == rooms


def test_native_rooms_include_only_what_they_may() -> None:
    known = headers(native(HEADER))
    wrong = [
        line
        for path in native(HEADER, SOURCE)
        for line in wrong_includes(str(path.relative_to(NATIVE)), path.read_text(), known)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_room_may_include_what_no_file_of_it_does() -> None:
    """The table shrinks with the code: an arrow that is no longer drawn is taken out."""
    drawn: dict[str, set[str]] = {room: set() for room in MAY_INCLUDE}
    for path in native(HEADER, SOURCE):
        room = path.relative_to(NATIVE).parts[0]
        drawn[room] |= {target.partition("/")[0] for target in INCLUDE.findall(path.read_text())} - {room}
    assert drawn == {room: set(others) for room, others in MAY_INCLUDE.items()}


@pytest.mark.parametrize(
    ("where", "line", "why"),
    [
        ("core/core.cpp", '#include "engine/hot.h"', "core must not include engine"),
        ("core/core.h", '  #  include "gateway/gate.h"', "core must not include gateway"),
        ("gateway/hub.cpp", '#include "core/core.h"', "gateway must not include core"),
        ("wire/itch.h", '#include "book/book.h"', "wire must not include book"),
        ("core/core.cpp", '#include "types.h"', "not a header"),
        ("core/core.cpp", '#include "../engine/hot.h"', "not a header"),
        ("core/core.cpp", '#include "core/risk.cpp"', "not a header"),
        ("core/core.cpp", '#include "journal/tests/scratch.h"', "made for tests"),
        ("newroom/first.cpp", '#include "wire/itch.h"', "newroom must not include wire"),
    ],
)
def test_a_planted_include_is_caught(where: str, line: str, why: str) -> None:
    source = f'// A file.\n#include <array>\n\n{line}\n#include "core/core.h"\n'
    assert any(why in told for told in wrong_includes(where, source, headers(native(HEADER))))


def test_includes_that_are_allowed_are_not_told() -> None:
    source = '#include "core/core.h"\n#include "wire/itch.h"\n#include "journal/ring.h"\n'
    assert wrong_includes("core/core.cpp", source, headers(native(HEADER))) == []
