"""The house in figures: what each room holds, who imports whom, what goes round in a circle.

Values in, values out: the files are a mapping of path to text, so that a test can make one up. Run as a
program (`python -m tests.support.house`, part of `make lint`) it prints the table for this checkout.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

HEAD = ("room", "files", "lines", "functions", "median", "longest", "inside", "outside", "circles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function or method, nested ones too."""

    name: str
    line: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name that a module takes: `a.b` of `import a.b`, `a.b.c` of `from a.b import c`."""

    name: str
    is_for_types: bool  # below `if TYPE_CHECKING`: never carried out


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file."""

    path: str
    name: str
    docstring: str
    lines: int
    functions: tuple[Function, ...]
    imports: tuple[Import, ...]

    @property
    def room(self) -> str:
        """The folder at the top that it is in."""
        return _room(self.name)


@dataclass(frozen=True, kw_only=True)
class House:
    """All modules, by name."""

    modules: Mapping[str, Module]

    @cached_property
    def arrows(self) -> Mapping[str, frozenset[str]]:
        """Module -> the modules of ours that it imports, at its top or later in a function."""
        return {name: self._imported(module, for_types=False) for name, module in self.modules.items()}

    @cached_property
    def circles(self) -> tuple[tuple[str, ...], ...]:
        """Groups of modules each of which leads to all others of its group."""
        return circles_of(self.arrows)

    @cached_property
    def circles_by_types(self) -> tuple[tuple[str, ...], ...]:
        """Those that only close with what is imported for types: they hurt the reader, not the program."""
        arrows = {name: self._imported(module, for_types=True) for name, module in self.modules.items()}
        return tuple(circle for circle in circles_of(arrows) if circle not in self.circles)

    def way_to(self, start: str, forbidden: Iterable[str]) -> tuple[str, ...]:
        """The shortest chain of imports from START to a top-level name of FORBIDDEN; empty if there is none.

        What is imported for types only is not followed; a package's `__init__` is, with all that is below it.
        """
        ways: dict[str, tuple[str, ...]] = {start: (start,)}
        names = frozenset(forbidden)
        for name in (order := [start]):  # grows while it is read: nearest first
            carried_out = [one.name for one in self.modules[name].imports if not one.is_for_types]
            for foreign in carried_out:
                if _room(foreign) in names:
                    return (*ways[name], foreign)
            ours = {above for one in (name, *self._ours(carried_out)) for above in packages_of(one)}
            for following in sorted(ours & self.modules.keys() - ways.keys()):
                ways[following] = (*ways[name], following)
                order.append(following)
        return ()

    def below(self, name: str) -> tuple[str, ...]:
        """The module of that name and, if it is a package, all in it."""
        return tuple(one for one in self.modules if one == name or one.startswith(f"{name}."))

    def _imported(self, module: Module, *, for_types: bool) -> frozenset[str]:
        names = [one.name for one in module.imports if for_types or not one.is_for_types]
        return frozenset(self._ours(names)) - {module.name}

    def _ours(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            package = name.rpartition(".")[0]
            if name in self.modules:
                yield name
            elif package in self.modules:
                yield package


def read(files: Mapping[str, str]) -> House:
    """The house of FILES: path below the root -> text."""
    modules = (module_of(path, text) for path, text in files.items())
    return House(modules={module.name: module for module in modules})


def module_of(path: str, text: str) -> Module:
    """What one file holds."""
    tree = ast.parse(text, filename=path)
    parts = PurePosixPath(path).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    package = name if parts[-1] == "__init__" else name.rpartition(".")[0]
    return Module(
        path=path,
        name=name,
        docstring=ast.get_docstring(tree) or "",
        lines=text.count("\n"),
        functions=tuple(
            Function(name=one.name, line=one.lineno, lines=(one.end_lineno or one.lineno) - one.lineno + 1)
            for one in ast.walk(tree)
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
        imports=tuple(_imports(tree, package, is_for_types=False)),
    )


def _imports(node: ast.AST, package: str, *, is_for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(name=alias.name, is_for_types=is_for_types)
        elif isinstance(child, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - child.level] if child.level else []
            whence = ".".join([*above, *([child.module] if child.module else [])])
            for alias in child.names:
                yield Import(name=f"{whence}.{alias.name}", is_for_types=is_for_types)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for one in child.body:
                yield from _imports(ast.Module([one], []), package, is_for_types=True)
            yield from _imports(ast.Module(child.orelse, []), package, is_for_types=is_for_types)
        else:
            yield from _imports(child, package, is_for_types=is_for_types)


def packages_of(name: str) -> frozenset[str]:
    """A module with all packages around it: importing it carries them out too."""
    parts = name.split(".")
    return frozenset(".".join(parts[:count]) for count in range(1, len(parts) + 1))


def circles_of(arrows: Mapping[str, frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """Every group of names that lead to each other, largest groups only."""
    reached = {name: reach(arrows, name) for name in arrows}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in arrows
        if name in reached[name]
    }
    return tuple(sorted(groups))


def reach(arrows: Mapping[str, frozenset[str]], start: str) -> frozenset[str]:
    """All that START leads to; START itself only by a circle."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        following = arrows[ahead.pop()] - seen
        seen |= following
        ahead.extend(following)
    return frozenset(seen)


def report(house: House) -> str:
    """A line per room, then what stands out. Inside, outside: imports of own and of other modules."""
    rooms: dict[str, list[Module]] = {}
    for module in house.modules.values():
        rooms.setdefault(module.room, []).append(module)
    rows = [HEAD, *(_row(house, room, rooms[room]) for room in sorted(rooms))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    largest = max((room for room in rooms if room != "tests"), key=lambda room: _lines(rooms[room]))
    share = (
        100 * _lines(rooms[largest]) / sum(_lines(mine) for room, mine in rooms.items() if room != "tests")
    )
    lines.append(f"largest room but the tests: {largest}, {share:.0f} % of the lines")
    for what, circles in (("", house.circles), (" closed by types alone", house.circles_by_types)):
        lines.append(f"import circles{what}: {len(circles)}")
        lines.extend(f"  {' <-> '.join(circle)}" for circle in circles)
    return "\n".join(lines)


def _row(house: House, room: str, mine: list[Module]) -> tuple[str, ...]:
    functions = [(one.lines, one.name, module.path) for module in mine for one in module.functions]
    most, name, where = max(functions, default=(0, "", ""))
    inside = sum(1 for module in mine for other in house.arrows[module.name] if _room(other) == room)
    outside = sum(len(house.arrows[module.name]) for module in mine) - inside
    circles = sum(1 for circle in house.circles if _room(circle[0]) == room)
    return (
        *(room, f"{len(mine)}", f"{_lines(mine):,}", f"{len(functions):,}"),
        f"{statistics.median(lines for lines, *_ in functions):.0f}" if functions else "-",
        f"{most} {PurePosixPath(where).name}:{name}" if functions else "-",
        *(f"{inside}", f"{outside}", f"{circles}"),
    )


def _cells(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    for head, cell, width in zip(HEAD, row, widths, strict=True):
        yield cell.ljust(width) if head in ("room", "longest") else cell.rjust(width)


def _lines(modules: Iterable[Module]) -> int:
    return sum(module.lines for module in modules)


def _room(module: str) -> str:
    return module.partition(".")[0]


def of_the_checkout() -> House:
    """The house as it stands in this checkout."""
    from tests.support.checkout import ROOT, tracked

    return read({str(path.relative_to(ROOT)): path.read_text() for path in tracked("*.py")})


if __name__ == "__main__":
    print(report(of_the_checkout()))
