"""Every command that a message names works when it is pasted: it parses, and it asks the same inventory."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator

import click
import pytest

from hft.cli import VERBS, cli
from tests.support.checkout import ROOT
from tests.support.hinted import HINTED, sources
from transport.hint import NO_INVENTORY, command, enrol, use_inventory

NAMED = re.compile(rf"\bhft ({'|'.join(VERBS)})\b")
# Commands that ask no inventory, and what only says which command ran; nobody pastes the latter.
FREE = re.compile(r"\bhft (lab (up|down)|init DIR|site use|drill HOST=panic|check(,|:| ?$))|HFT_LAB=")
REASONS = re.compile(
    r"^hft (apply|clock apply|engine (deploy|remove)|revert |recover |drill |baseline accept|failover kill"
    r"|monitoring deploy|stack \w+ )$"
)


@pytest.fixture(autouse=True)
def no_inventory() -> Iterator[None]:
    use_inventory(None)
    yield
    use_inventory(None)


def shown_texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """String literals that are neither documentation nor the examples of a command's help."""
    skipped = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.keyword) and call.arg in ("epilog", "help"):
            skipped |= {id(one) for one in ast.walk(call.value)}
        if isinstance(call, ast.Assign) and any(getattr(to, "id", "") == "EPILOG" for to in call.targets):
            skipped |= {id(one) for one in ast.walk(call.value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def test_no_message_spells_a_command_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.strip()[:80]}"
        for path, tree in sources()
        if path.name != "cli.py"
        for line, text in shown_texts(tree)
        if NAMED.search(text) and not FREE.search(text) and not REASONS.search(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("words", HINTED, ids=" ".join)
@pytest.mark.parametrize("path", ["site.toml", "/my sites/it's $(here).toml"])
def test_a_hint_parses_and_asks_the_same_inventory(words: tuple[str, ...], path: str) -> None:
    use_inventory(path)
    name, *args = shlex.split(command(*words))
    assert name == "hft"
    context, found = resolved(args)
    if words[0] in NO_INVENTORY:
        assert "--inventory" not in args
        return
    assert "inventory" in {param.name for param in context.command.params}, "it cannot be asked of a site"
    assert found["inventory"] == path


def resolved(args: list[str]) -> tuple[click.Context, dict[str, object]]:
    """The innermost command's context and values, without running it; raises a usage error."""
    context: click.Context = cli.make_context("hft", list(args))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, more = context.command.resolve_command(context, rest)
        assert found is not None
        context = found.make_context(name, more, parent=context)
    return context, context.params


def test_the_check_can_fail() -> None:
    with pytest.raises(click.UsageError):
        resolved(["status", "--nosuch"])
    with pytest.raises(click.UsageError):
        resolved(["host", "acknowledge", "e1"])


def test_enrolment_is_named_with_what_only_the_console_knows() -> None:
    assert enrol("e1") == "hft host enrol e1 --fingerprint SHA256:..."


def test_an_inventory_of_the_environment_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFT_INVENTORY", "/a b/site.toml")
    context, found = resolved(["status"])
    assert (found["inventory"], context.info_name) == (None, "status")
    assert command("status") == "hft status --inventory '/a b/site.toml'"
