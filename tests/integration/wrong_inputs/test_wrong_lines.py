"""Wrong command lines: one sentence and a documented code each, never a traceback."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from hft.errors import Exit
from tests.support.hft_here import Said, hft_here, own_state
from tests.support.wrong_lines import is_refused_unread, sibling, table, verbs

SEED = int(os.environ.get("HFT_SEED", "20261201"))
TABLE = table()
DOCUMENTED = {int(code) for code in Exit} - {Exit.INTERNAL, Exit.INTERRUPTED}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A site at which nobody answers, in a folder that is the working directory."""
    own_state(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    host = {"name": "e1", "address": "127.0.0.1", "ssh_port": 1, "role": "engine", "failure_domain": "a"}
    path = tmp_path / "made.json"
    path.write_text(json.dumps({"name": "made", "hosts": [host | {"profile": "engine"}]}))
    return str(path)


def test_the_table_is_of_every_verb_and_long_enough() -> None:
    assert len(TABLE) == len(set(TABLE)) >= 250
    assert {line[0] for line in TABLE} == {verb.words[0] for verb in verbs()}
    assert [line for line in TABLE if not is_refused_unread(line)] == []


def test_each_line_of_the_table_is_one_sentence_and_bad_input(
    site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = []
    for line in TABLE:
        said = hft_here(capsys, *line)
        lines = said.err.splitlines()
        good = said.code == Exit.BAD_INPUT and "Traceback" not in said.err and said.out == ""
        if not (good and 1 <= len(lines) <= 2 and all(one.startswith("hft: ") for one in lines)):
            wrong.append((line, said))
    assert not wrong, wrong[:3]


def tried(capsys: pytest.CaptureFixture[str], site: str, count: int) -> None:
    dice = random.Random(SEED)
    for number in range(count):
        line = sibling(dice, site)
        said = hft_here(capsys, *line)
        assert is_good(said), f"HFT_SEED={SEED}, line {number}: {line}\n{said}"


def is_good(said: Said) -> bool:
    both = said.out + said.err
    return said.code in DOCUMENTED and "Traceback" not in both and "\x1b" not in both


def test_no_sibling_of_them_ends_in_a_traceback(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    tried(capsys, site, 120)


@pytest.mark.drill
def test_no_sibling_of_three_thousand_ends_in_a_traceback(
    site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Budget: five minutes."""
    tried(capsys, site, 3000)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HFT_STATE", "/dev/null/x", ("history",)),
        ("HFT_STATE", "/proc/1", ("apply", "--yes")),
        ("HFT_INVENTORY", "/nonexistent.toml", ("status",)),
        ("HFT_INVENTORY", "/dev/zero", ("status",)),
        ("HFT_INVENTORY", "nul", ("host", "list")),
        ("HFT_LAB", "../../x", ("status",)),
        ("HFT_LAB", "x" * 400, ("status",)),
        ("XDG_CONFIG_HOME", "/dev/null/x", ("site", "use", "made.json")),
        ("HOME", "/nonexistent", ("status", "--inventory", "~/x.toml")),
        ("COLUMNS", "-5", ("host", "list", "--lab")),
        ("PATH", "", ("status", "--inventory", "made.json")),
        ("HFT_LAB_DIR", "/dev/null", ("lab", "bare", "x1")),
        ("HFT_LAB_DIR", "/proc/1", ("lab", "bare", "x1")),
        ("HFT_ACCEL", "zzz", ("lab", "up")),
        ("HFT_ACCEL", "zzz", ("lab", "add", "x1")),
    ],
)
def test_a_fault_of_the_environment_is_a_sentence(  # noqa: PLR0917
    variable: str,
    value: str,
    words: tuple[str, ...],
    site: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if variable != "HFT_INVENTORY" and words[0] in ("history", "apply"):
        monkeypatch.setenv("HFT_INVENTORY", site)
    monkeypatch.setenv(variable, value)
    said = hft_here(capsys, *words)
    assert is_good(said), said


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "http://", "http://[::1:1", "http://a:99999", "http://a:b", "http://a b", "http:///x"],
)
def test_what_is_no_url_is_a_sentence(url: str, site: str, capsys: pytest.CaptureFixture[str]) -> None:
    for alertmanager, prometheus in ((url, "http://127.0.0.1:1"), ("http://127.0.0.1:1", url)):
        words = ("monitoring", "remedy", "--alertmanager", alertmanager, "--prometheus", prometheus)
        said = hft_here(capsys, *words, "--inventory", site)
        assert (said.code, said.err.count("\n"), "is not the URL of" in said.err) == (2, 1, True), said


def test_the_usage_of_a_long_command_is_one_line_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    said = hft_here(capsys, "failover", "plan", "zzz")
    assert (
        "usage: hft failover plan [OPTIONS] {switchover|failover|fence|resume|unfence|promote-site};"
        in said.err
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("explain", ""), "no page explains ''"),
        (("explain", " "), "no page explains ' '"),
        (("show", "last", "--format", "csv", "--json"), "two forms"),
        (("history", "--json", "--format=csv"), "two forms"),
        (("status", "--format", "csv", "--json"), "two forms"),
        (("diff", "e1", "nobody"), "no run"),
    ],
)
def test_what_was_taken_for_something_is_a_sentence(
    words: tuple[str, ...],
    says: str,
    site: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HFT_INVENTORY", site)
    said = hft_here(capsys, *words)
    assert (said.code, says in said.err) == (Exit.BAD_INPUT, True), said


# What `hft lab add` is told of a machine: refused before an image is built for it, which takes minutes.
WRONG_MACHINES = (
    *((one,) for one in ("", "../x", "Ünï", "engine-1", "x" * 5000)),
    *(
        ("x1", "--node", one)
        for one in ("0:0", "x", "1:512:3", "-1:512", "1:-512", "999:512", "1:1", "1:99999999")
    ),
    *(("x1", "--threads", one) for one in ("0", "-1", "3", "99999", "x")),
    *(("x1", "--nic-node", one) for one in ("7", "-1", "x")),
    *(("x1", "--number", one) for one in ("0", "256", "11", "-3")),
    *(("x1", "--failure-domain", one) for one in ("", "a/b")),
)


@pytest.mark.parametrize("words", WRONG_MACHINES, ids=lambda words: " ".join(words)[:40])
def test_a_machine_that_cannot_be_is_refused_before_anything_is_built(
    words: tuple[str, ...], site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HFT_LAB_DIR", str(Path(site).parent / "lab"))
    monkeypatch.setattr("lab.driver.ensure_image", lambda _: pytest.fail("an image is asked for"))
    said = hft_here(capsys, "lab", "add", *words)
    assert (said.code, said.out, "Traceback" in said.err) == (Exit.BAD_INPUT, "", False), said
    assert all(line.startswith("hft: ") and len(line) < 400 for line in said.err.splitlines()), said
