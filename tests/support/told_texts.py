"""Where a program reads what it tells people: the text of an error or an outcome, searched, cut or compared.

A sentence may be reworded without anything else changing, so no decision may hang on one. Such a text is an
exception's own (`str(error)`), a field of TEXTS of whatever object, and every local name made of either.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Fields that are written for people, in any room.
TEXTS = frozenset(
    {"message", "seen", "hint", "sentence", "note", "why", "reason", "impact", "fix"}
    | {"last_words", "stderr", "strerror"}
)
SEARCHES = frozenset(
    {"startswith", "endswith", "partition", "rpartition", "removeprefix", "removesuffix"}
    | {"find", "rfind", "index", "rindex", "count", "split", "rsplit"}
)
PATTERNS = frozenset({"search", "match", "fullmatch", "findall", "finditer"})
# Expression -> the fields that it is made of.
MADE_OF: dict[type[ast.AST], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"),
    ast.BoolOp: ("values",),
    ast.GeneratorExp: ("elt",),
    ast.IfExp: ("body", "orelse"),
    ast.JoinedStr: ("values",),
    ast.List: ("elts",),
    ast.ListComp: ("elt",),
    ast.NamedExpr: ("value",),
    ast.Starred: ("value",),
    ast.Subscript: ("value",),
    ast.Tuple: ("elts",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One place that reads a told text; `function` is its innermost one."""

    path: str
    function: str
    line: int
    code: str


def readings(path: Path, name: str, texts: frozenset[str] = TEXTS) -> Iterator[Reading]:
    """Every such place in the functions of one file, called NAME."""
    tree = ast.parse(path.read_text("utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            told = _Told(function, texts)
            for node in _own(function):
                if told.is_read_by(node):
                    code = " ".join(ast.unparse(node).split())
                    yield Reading(path=name, function=function.name, line=node.lineno, code=code)


def _own(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """The expressions of a function, without those of the functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.expr):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


class _Told:
    """What in one function is text for people."""

    def __init__(self, function: ast.FunctionDef, texts: frozenset[str]) -> None:
        self.texts = texts
        nodes = list(ast.walk(function))
        self.errors = {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
        arguments = [*function.args.args, *function.args.kwonlyargs]
        self.errors |= {one.arg for one in arguments if _is_error(one.annotation)}
        self.names: set[str] = set()
        before = -1
        while before != len(self.names):  # a name may be made of another one
            before = len(self.names)
            for node in nodes:
                self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value) if self.is_text(value):
                self.names |= {name for target in targets for name in _names(target)}
            case (
                ast.NamedExpr(target=target, value=value)
                | ast.For(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ) if self.is_text(value):
                self.names |= set(_names(target))

    def is_text(self, node: ast.AST) -> bool:
        """Whether an expression is text for people, or made of it."""
        if isinstance(node, ast.Name):
            return node.id in self.names or node.id == "stderr"
        if isinstance(node, ast.Attribute):
            return node.attr in self.texts
        if isinstance(node, ast.FormattedValue):
            return self._speaks(node.value)
        if isinstance(node, ast.Call):
            return self._is_told_by(node)
        parts = (getattr(node, name) for name in MADE_OF.get(type(node), ()))
        each = (one for part in parts for one in (part if isinstance(part, list) else [part]))
        return any(map(self.is_text, each))

    def _is_told_by(self, call: ast.Call) -> bool:
        if isinstance(call.func, ast.Name):
            return call.func.id in {"str", "repr"} and any(map(self._speaks, call.args))
        if not isinstance(call.func, ast.Attribute):
            return False
        method = call.func.attr
        joined = method == "join" and any(map(self.is_text, call.args))
        return joined or method in self.texts or self.is_text(call.func.value)

    def _speaks(self, node: ast.expr) -> bool:
        """Whether an expression is a text, or an error that becomes one here."""
        return self.is_text(node) or (isinstance(node, ast.Name) and node.id in self.errors)

    def is_read_by(self, node: ast.expr) -> bool:
        """Whether an expression asks what such a text says; whether there is any is another question."""
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides = (node.left, node.comparators[0])
            asks = isinstance(node.ops[0], ast.In | ast.NotIn | ast.Eq | ast.NotEq)
            return asks and any(map(self.is_text, sides)) and not any(map(_is_empty, sides))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        if node.func.attr in PATTERNS:
            return any(map(self.is_text, node.args))
        return node.func.attr in SEARCHES and bool(node.args) and self.is_text(node.func.value)


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id


def _is_error(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).endswith(("Error", "Exception"))


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in ("", None, 0)
