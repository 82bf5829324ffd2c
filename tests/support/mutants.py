"""Small wrong programs made of right ones: one comparison, constant, word or statement of a module changed.

A mutant that the fast tests let pass is a line that nothing holds. The kinds are those of the literature
(DeMillo, Lipton and Sayward, "Hints on Test Data Selection", 1978): relational, logical and arithmetic
operators, constants, and statements left out. Text and annotations are left alone: they change what is said.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one module: characters [start, end) of the source become `after`."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str
    text: str = ""  # the line where it begins

    @property
    def key(self) -> str:
        """A name that outlives edits elsewhere in the module: path, line, kind, and what became what."""
        changed = f"{' '.join(self.before.split())} -> {' '.join(self.after.split())}"
        return f"{self.path}: {self.text} [{self.kind}] {changed}"

    def of(self, source: str) -> str:
        """The whole mutated source."""
        return source[: self.start] + self.after + source[self.end :]


class _Text:
    """Where a node stands in the source, in characters (ast counts bytes of a line)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno or 0, node.end_col_offset or 0)


def _spoken(tree: ast.Module) -> set[ast.AST]:
    """Nodes that are not changed: annotations, decorators, and what is there for the type checker."""
    left: set[ast.AST] = set()
    for node in ast.walk(tree):
        roots: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            roots += [node.returns, *node.decorator_list]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            roots.append(node.annotation)
        elif isinstance(node, ast.ClassDef):
            roots += node.decorator_list
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            roots.append(node)
        for root in roots:
            left.update(ast.walk(root) if root else ())
    return left


def _between(text: _Text, left: ast.expr, right: ast.expr, after: str) -> tuple[int, int, str]:
    """The operator between two operands, brackets kept where they stand."""
    start, end = text.span(left)[1], text.span(right)[0]
    gap = text.source[start:end]
    head = len(gap) - len(gap.lstrip(" )\n\t"))
    tail = len(gap) - len(gap.rstrip(" (\n\t"))
    return start + head, end - tail, after


def _of_node(text: _Text, node: ast.AST) -> Iterator[tuple[str, int, int, str]]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            yield "comparison", *_between(text, left, right, COMPARISONS[type(op)])
        case ast.BoolOp(op=op, values=[first, second, *_]):
            yield "logic", *_between(text, first, second, "or" if isinstance(op, ast.And) else "and")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not", text.span(node)[0], text.span(operand)[0], ""
        case ast.BinOp(op=op, left=left, right=right) if type(op) in ARITHMETIC:
            yield "arithmetic", *_between(text, left, right, ARITHMETIC[type(op)])
        case ast.Constant(value=bool(value)):
            yield "truth", *text.span(node), str(not value)
        case ast.Constant(value=int(value)):
            yield "number", *text.span(node), str(value + 1)
        case (
            ast.Expr(value=ast.Call())
            | ast.Raise()
            | ast.Assert()
            | ast.AugAssign()
            | ast.Continue()
            | ast.Break()
        ):
            yield "left out", *text.span(node), "pass"
        case ast.If(test=test):
            yield "never", *text.span(test), "False"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "nothing returned", *text.span(value), "None"


def mutants(path: str, source: str) -> list[Mutant]:
    """Every mutant of one module in the order of its source, all of them programs."""
    return [one for one in _candidates(path, source) if is_another_program(one, source)]


def _candidates(path: str, source: str) -> list[Mutant]:
    """Every change of one module in the order of its source, whether it is a program or not."""
    tree, text = ast.parse(source), _Text(source)
    left_alone = _spoken(tree)
    found: dict[tuple[int, int, str], Mutant] = {}
    for node in ast.walk(tree):
        if node in left_alone:
            continue
        for kind, start, end, after in _of_node(text, node):
            line = source.count("\n", 0, start) + 1
            found[(start, end, after)] = Mutant(
                path=path,
                line=line,
                kind=kind,
                start=start,
                end=end,
                before=source[start:end],
                after=after,
                text=" ".join(text.lines[line - 1].split()),
            )
    return sorted(found.values(), key=lambda one: (one.start, one.end))


def is_another_program(mutant: Mutant, source: str) -> bool:
    """Whether the mutated source is a program, and not the one that it was made of."""
    try:
        return ast.dump(ast.parse(mutant.of(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def sample(sources: dict[str, str], count: int, seed: int) -> list[Mutant]:
    """COUNT mutants, spread over the modules by their size, the same for the same seed and sources."""
    every = [one for path in sorted(sources) for one in _candidates(path, sources[path])]
    random.Random(seed).shuffle(every)
    programs = (one for one in every if is_another_program(one, sources[one.path]))
    return sorted(islice(programs, count), key=lambda one: (one.path, one.start))


def caught_of(outcomes: Sequence[bool]) -> float:
    """Share of mutants that a test caught, 0 to 1; 1 where there were none."""
    return sum(outcomes) / len(outcomes) if outcomes else 1.0
