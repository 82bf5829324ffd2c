"""The gate of the native programs: one format, one naming, small files, rooms that include what they may.

Each rule takes a tree of sources and tells what is wrong in it; the same rules read engine/native and a
small tree in which one thing is wrong, so that no rule stands that does not bite.
"""

from __future__ import annotations

import graphlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, tracked

NATIVE = ROOT / "engine/native"
HEADER, SOURCE = ".h", ".cpp"
BUILD_LIST = "CMakeLists.txt"
PAGE = "README.md"
FILE_LINES_MAX = 400
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
# Which room of engine/native may include which; a room may always include itself. What is not here is
# forbidden: base knows nobody and everybody may know it, the core knows neither trader, gateway nor venue,
# and the gateway shares base and the wire alone with the others.
MAY_INCLUDE: dict[str, frozenset[str]] = {
    "base": frozenset(),
    "wire": frozenset({"base"}),
    "journal": frozenset({"base"}),
    "feed": frozenset({"wire"}),
    "book": frozenset({"base", "wire"}),
    "dpdk": frozenset({"base", "wire", "feed"}),
    "core": frozenset({"base", "wire", "book", "journal"}),
    "gateway": frozenset({"base", "wire"}),
    "venue": frozenset({"base", "wire"}),
    "trader": frozenset({"base", "wire", "feed", "book", "dpdk", "journal", "core"}),
    # The relay takes its feed in by the trader's own input, and the load has the venue's end of a connection.
    "load": frozenset({"base", "wire", "venue", "trader"}),
    "fuzz": frozenset({"wire", "feed", "book"}),
}
# For tests alone: never part of what a program is made of.
TESTS = "tests"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
GTEST = re.compile(r"^#include <gtest/", re.MULTILINE)
SHOUTED = re.compile(r"\bconstexpr\b[^=;(){}]*\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)(?:\[\])?(?: =|\{)")
UNIT_BEHIND_A_DASH = re.compile(r"\b(k[A-Z]\w*_(?:ns|us|ms|s))\b")
SILENCED = re.compile(r"#\s*pragma\s+(?:GCC|clang)\s+(?:diagnostic|system_header)")
# The files of a tree by their path below it.
Tree = dict[str, str]


def house() -> Tree:
    """What git has, or would take, of engine/native."""
    return {str(path.relative_to(NATIVE)): path.read_text() for path in tracked("engine/native")}


def code(tree: Tree, *suffixes: str) -> Tree:
    return {where: text for where, text in tree.items() if Path(where).suffix in suffixes}


def room_of(where: str) -> str:
    return where.partition("/")[0]


def wrong_includes(tree: Tree) -> list[str]:
    """A header is named by its whole path, in its own room or one that MAY_INCLUDE allows.

    What is made for tests stays with tests.
    """
    wrong: list[str] = []
    for where, source in code(tree, HEADER, SOURCE).items():
        room, _, rest = where.partition("/")
        for target in INCLUDE.findall(source):
            other = room_of(target)
            if target not in code(tree, HEADER):
                wrong.append(f"{where} includes {target}: not a header of engine/native by its whole path")
            elif other != room and other not in MAY_INCLUDE.get(room, frozenset()):
                wrong.append(f"{where} includes {target}: {room} must not include {other}")
            elif f"/{TESTS}/" in target and not rest.startswith(f"{TESTS}/"):
                wrong.append(f"{where} includes {target}: made for tests")
    return wrong


def wrong_suffixes(tree: Tree) -> list[str]:
    known = (HEADER, SOURCE)
    return [
        f"{where}: not {HEADER} or {SOURCE}"
        for where in tree
        if Path(where).suffix not in known and Path(where).name != BUILD_LIST and where != PAGE
    ]


def too_long(tree: Tree) -> list[str]:
    lines = {where: text.count("\n") for where, text in code(tree, HEADER, SOURCE).items()}
    return [f"{where}: {count} lines" for where, count in lines.items() if count > FILE_LINES_MAX]


def wrong_names(tree: Tree) -> list[str]:
    """Constants are kName, a unit is part of the name (kTickNs)."""
    return [
        f"{where}: {name} is not kName"
        for where, text in code(tree, HEADER, SOURCE).items()
        for name in [*SHOUTED.findall(text), *UNIT_BEHIND_A_DASH.findall(text)]
    ]


def wrong_tests(tree: Tree) -> list[str]:
    """What GoogleTest runs is ROOM/tests/WHAT_test.cpp; what only helps there has a name without _test."""
    return [
        f"{where}: a test is ROOM/{TESTS}/WHAT_test{SOURCE}"
        for where, text in code(tree, SOURCE).items()
        if (GTEST.search(text) is not None) != where.endswith(f"_test{SOURCE}")
        or (where.endswith(f"_test{SOURCE}") and Path(where).parent != Path(room_of(where)) / TESTS)
    ]


def silenced_warnings(tree: Tree) -> list[str]:
    """One list of flags for all rooms; no room and no file takes a warning back."""
    lists = {
        where: text for where, text in tree.items() if Path(where).name == BUILD_LIST and where != BUILD_LIST
    }
    wrong = [
        f"{where}: takes a warning back" for where, text in lists.items() if re.search(r"-Wno-|-w\b", text)
    ]
    sources = code(tree, HEADER, SOURCE)
    return wrong + [
        f"{where}: silences the compiler" for where, text in sources.items() if SILENCED.search(text)
    ]


def forgotten(tree: Tree) -> list[str]:
    """A source that nothing compiles is read by no compiler and run by no test."""
    found: list[str] = []
    for where in code(tree, SOURCE):
        room, _, rest = where.partition("/")
        listed = re.findall(r"[\w/.]+", tree.get(f"{room}/{BUILD_LIST}", ""))
        fuzzed = (
            room == "fuzz" and Path(where).stem.removeprefix("fuzz_") in listed
        )  # a loop over the targets
        if rest not in listed and not fuzzed:
            found.append(f"{where}: not in its room's {BUILD_LIST}")
    return found


RULES: tuple[Callable[[Tree], list[str]], ...] = (
    wrong_includes,
    wrong_suffixes,
    too_long,
    wrong_names,
    wrong_tests,
    silenced_warnings,
    forgotten,
)


def test_native_code_is_formatted() -> None:
    argv = [str(Path(sys.executable).parent / "clang-format"), "--dry-run", "--Werror"]
    files = [str(NATIVE / where) for where in code(house(), HEADER, SOURCE)]
    done = subprocess.run([*argv, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:6000]


def nothing_is_told(rule: Callable[[Tree], list[str]]) -> None:
    wrong = rule(house())
    assert not wrong, "\n".join(wrong)


def test_native_code_has_one_suffix() -> None:
    nothing_is_told(wrong_suffixes)
    assert code(house(), SOURCE)


def test_native_rooms_include_only_what_they_may() -> None:
    nothing_is_told(wrong_includes)


def test_native_files_stay_small() -> None:
    nothing_is_told(too_long)


def test_native_constants_have_one_kind_of_name() -> None:
    nothing_is_told(wrong_names)


def test_native_tests_lie_in_one_place() -> None:
    nothing_is_told(wrong_tests)


def test_no_room_and_no_file_takes_a_warning_back() -> None:
    nothing_is_told(silenced_warnings)


def test_every_native_source_is_in_its_rooms_build_list() -> None:
    nothing_is_told(forgotten)


def test_warnings_are_on_and_errors_for_all_rooms() -> None:
    top = house()[BUILD_LIST]
    assert set(WARNINGS) <= set(re.findall(r"-W[\w-]+", top))
    assert re.findall(r"-Wno-[\w-]+", top) == ["-Wno-restrict"]


def test_every_native_room_has_its_arrows() -> None:
    rooms = {room_of(where) for where in code(house(), HEADER, SOURCE)}
    assert rooms == set(MAY_INCLUDE)
    order = graphlib.TopologicalSorter(MAY_INCLUDE).static_order()  # raises on a circle
    assert set(order) == rooms


def test_no_room_may_include_what_no_file_of_it_does() -> None:
    """The table shrinks with the code: an arrow that is no longer drawn is taken out."""
    drawn: dict[str, set[str]] = {room: set() for room in MAY_INCLUDE}
    for where, text in code(house(), HEADER, SOURCE).items():
        drawn[room_of(where)] |= {room_of(target) for target in INCLUDE.findall(text)} - {room_of(where)}
    assert drawn == {room: set(others) for room, others in MAY_INCLUDE.items()}


SOUND: Tree = {
    "base/CMakeLists.txt": "add_library(hft_base STATIC net.cpp)\nhft_test(base_test tests/net_test.cpp)\n",
    "base/net.h": "// Sockets.\nconstexpr int kTickNs = 1;\n",
    "base/net.cpp": '#include "base/net.h"\n#include <array>\n',
    "base/tests/net_test.cpp": '#include <gtest/gtest.h>\n#include "base/tests/scratch.h"\n',
    "base/tests/scratch.h": "// A place to write.\n",
    "core/CMakeLists.txt": "add_library(hft_core STATIC core.cpp)\n",
    "core/core.cpp": '#include "base/net.h"\n#include "core/core.h"\n',
    "core/core.h": "// The core.\n",
    "gateway/CMakeLists.txt": "add_library(hft_gateway STATIC hub.cpp)\n",
    "gateway/hub.cpp": '#include "base/net.h"\n#include "gateway/hub.h"\n',
    "gateway/hub.h": "// The hub.\n",
    "trader/main.h": "// The trader.\n",
    "venue/main.h": "// The venue.\n",
    "wire/itch.h": "// ITCH.\n",
    "book/book.h": '#include "wire/itch.h"\n',
}
PLANTED = [
    ("base/net.cpp", '#include "wire/itch.h"', "base must not include wire"),
    ("base/net.cpp", '#include "core/core.h"', "base must not include core"),
    ("core/core.cpp", '#include "trader/main.h"', "core must not include trader"),
    ("core/core.cpp", '#include "venue/main.h"', "core must not include venue"),
    ("core/core.cpp", '  #  include "gateway/hub.h"', "core must not include gateway"),
    ("gateway/hub.cpp", '#include "core/core.h"', "gateway must not include core"),
    ("gateway/hub.cpp", '#include "venue/main.h"', "gateway must not include venue"),
    ("wire/itch.h", '#include "book/book.h"', "wire must not include book"),
    ("core/core.cpp", '#include "core.h"', "not a header"),
    ("core/core.cpp", '#include "../trader/main.h"', "not a header"),
    ("core/core.cpp", '#include "core/core.cpp"', "not a header"),
    ("base/net.cpp", '#include "base/tests/scratch.h"', "made for tests"),
    ("newroom/first.h", '#include "wire/itch.h"', "newroom must not include wire"),
    ("core/core.cc", "// Another suffix.", "core/core.cc: not .h or .cpp"),
    ("core/notes.txt", "A note.", "core/notes.txt: not .h or .cpp"),
    ("core/core.h", "\n" * (FILE_LINES_MAX + 1), "lines"),
    ("core/core.h", "constexpr int TICK_NS = 1;", "TICK_NS is not kName"),
    ("core/core.h", "constexpr std::size_t TICKS{1};", "TICKS is not kName"),
    ("core/core.h", "constexpr int kTick_ns = 1;", "kTick_ns is not kName"),
    ("core/core.cpp", "#include <gtest/gtest.h>", "a test is ROOM/tests/WHAT_test.cpp"),
    ("core/test_core.cpp", "#include <gtest/gtest.h>", "a test is ROOM/tests/WHAT_test.cpp"),
    ("core/core_test.cpp", "#include <gtest/gtest.h>", "a test is ROOM/tests/WHAT_test.cpp"),
    ("core/CMakeLists.txt", "add_compile_options(-Wno-shadow)", "takes a warning back"),
    ("core/core.h", "#pragma GCC diagnostic ignored", "silences the compiler"),
    ("core/risk.cpp", "// Compiled by nobody.", "core/risk.cpp: not in its room's"),
]


def told_of(root: Path, planted: Tree) -> list[str]:
    """What the rules say about SOUND with PLANTED behind it, written below ROOT and read back."""
    for where, text in [*SOUND.items(), *planted.items()]:
        path = root / where
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{text}\n")
    tree = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    return [line for rule in RULES for line in rule(tree)]


def test_a_sound_tree_is_not_told(tmp_path: Path) -> None:
    assert told_of(tmp_path, {}) == []


@pytest.mark.parametrize(("where", "line", "why"), PLANTED)
def test_what_is_planted_is_told(tmp_path: Path, where: str, line: str, why: str) -> None:
    told = told_of(tmp_path, {where: line})
    assert any(why in one for one in told), told


def test_every_rule_bites() -> None:
    """A rule that is silent about everything planted would be no rule."""
    planted = [{**SOUND, where: f"{SOUND.get(where, '')}\n{line}\n"} for where, line, _ in PLANTED]
    assert [rule.__name__ for rule in RULES if not any(rule(tree) for tree in planted)] == []
