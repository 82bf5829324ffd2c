"""The one writer: whatever it is given, a line is one line, and only our own styles are obeyed."""

from __future__ import annotations

import ast
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hft.views.table import table_lines
from tests.support.checkout import ROOT
from tests.support.screen import HOSTILE, obeyed
from transport import show
from transport.show import Styled, tell, tell_document, text_of

TEXTS = st.text(max_size=40) | st.sampled_from(HOSTILE) | st.lists(st.sampled_from(HOSTILE)).map("".join)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Terminal()
    monkeypatch.setattr(sys, "stdout", made)
    return made


@given(parts=st.lists(TEXTS | TEXTS.map(lambda text: Styled(text, "red")), min_size=1, max_size=4))
def test_a_line_is_one_line_and_commands_nothing(parts: list[str | Styled]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        screen = on_terminal(patch)
        tell(*parts)
    shown = screen.getvalue()
    assert obeyed(shown) == []
    assert shown.count("\n") == 1


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS.map(lambda text: Styled(text, "dim")), TEXTS), max_size=4),
    room=st.none() | st.integers(1, 200),
)
def test_a_table_commands_nothing_and_breaks_no_word_at_any_width(
    rows: list[tuple[str, Styled, str]], room: int | None
) -> None:
    lines = list(table_lines(("host", "state", "why"), rows, room=room))
    text = "\n".join("".join(text_of(part) for part in line) for line in lines)
    assert obeyed(text) == []
    words = set(text.split())
    for row in rows:
        for cell in row:
            assert set(text_of(cell).split()) <= words | {"-"}, (
                "every word is there whole, and can be searched for"
            )


def test_a_table_that_fits_is_columns_and_one_that_does_not_stays_within_the_width() -> None:
    head, rows = ("setting", "value", "why"), [("isolcpus", "managed_irq,domain,2-7,18-23", "a long " * 20)]
    (_, piped) = ["".join(map(text_of, line)) for line in table_lines(head, rows, room=None)]
    assert piped.startswith("isolcpus  managed_irq,domain,2-7,18-23  a long")
    for room in (40, 60, 80, 100):
        lines = ["".join(map(text_of, line)) for line in table_lines(head, rows, room=room)]
        assert any("managed_irq,domain,2-7,18-23" in line for line in lines)
        if room >= 70:
            assert max(map(len, lines)) <= room
    narrow = ["".join(map(text_of, line)) for line in table_lines(head, rows, room=30)]
    assert narrow[0] == "setting: isolcpus"


def test_styles_are_ours_and_only_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(Styled("red", "red"))
    assert capsys.readouterr().out == "red\n"
    screen = on_terminal(monkeypatch)
    tell(Styled("red", "red"), " plain")
    assert screen.getvalue() == "\x1b[31mred\x1b[0m plain\n"
    monkeypatch.setenv("NO_COLOR", "1")
    tell(Styled("red", "red"))
    assert screen.getvalue().endswith("\nred\n")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_document_is_ascii(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    for value in ({"note": hostile}, json.dumps({"note": hostile}, ensure_ascii=False)):
        tell_document(value)
        out = capsys.readouterr().out
        assert out.isascii()
        assert obeyed(out) == []
        assert json.loads(out) == {"note": hostile}


@pytest.mark.parametrize(
    ("columns", "wide"), [("80", 80), ("", None), ("0", None), ("x", None), ("-3", None), ("٣", None)]
)
def test_the_width_is_what_the_operator_says(
    columns: str, wide: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert show.width() == wide


def test_text_that_the_terminal_cannot_spell_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_ = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_, encoding="ascii"))
    tell("naïve")
    assert bytes_.getvalue() == b"na\\xefve\n"


WRITERS = {"click.echo", "click.secho", "click.confirm", "click.prompt", "print", "Console", "pprint"}
# Of the lab: what the guest's console and an interactive ssh print goes to the terminal as it is.
ROOMS = ("checks", "deploys", "drills", "hft", "inventory", "transport")


def asks_in_secret(call: ast.Call) -> bool:
    """A prompt on standard error whose answer is not shown."""
    said = {
        one.arg for one in call.keywords if isinstance(one.value, ast.Constant) and one.value.value is True
    }
    return ast.unparse(call.func) == "click.prompt" and {"hide_input", "err"} <= said


def test_nobody_else_writes_for_people() -> None:
    found = []
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                place = f"{path.relative_to(ROOT)}:{node.lineno} {name}"
                found += [place] * (name in WRITERS and not asks_in_secret(node))
    assert not found, "use transport.show.tell"
