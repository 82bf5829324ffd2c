"""Which site a command is about: the nearest that says so, never the lab unsaid, never a stranger's file."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from inventory.choice import Source, choose, read_choice, text_of
from inventory.errors import InventoryError
from tests.support.hft_here import hft_here, one_sentence
from transport import places


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, two folders deep."""
    folder = tmp_path / "rack" / "below"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write_site(path: Path, name: str) -> Path:
    host = {"name": f"{name}-1", "address": "192.0.2.1", "role": "engine", "failure_domain": "a"}
    path.write_text(json.dumps({"name": name, "hosts": [host]}))
    return path


def listed(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    said = hft_here(capsys, "host", "list", "--json", *words)
    assert said.code == 0, said
    site: str = json.loads(said.out)["site"]
    return site


def test_the_nearest_that_names_a_site_is_used(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sites = {name: write_site(tmp_path / f"{name}.json", name) for name in ("used", "far", "env", "given")}
    assert hft_here(capsys, "site", "use", sites["used"]).code == 0
    assert listed(capsys) == "used"
    (tmp_path / "hft.toml").write_text(text_of(Path("far.json")))
    assert listed(capsys) == "far"
    write_site(here.parent / "near.json", "near")
    (here.parent / "hft.toml").write_text('inventory = "near.json"\n')
    assert listed(capsys) == "near"
    monkeypatch.setenv("HFT_INVENTORY", str(sites["env"]))
    assert listed(capsys) == "env"
    assert listed(capsys, "--inventory", sites["given"]) == "given"


def test_the_lab_is_used_unasked_only_where_nothing_is_configured_and_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = one_sentence(capsys, "status")
    assert "no site is configured, and lab 'default' is not up" in said
    assert "hft site use PATH" in said
    (here / "hft.toml").write_text(text_of(write_site(here / "s.json", "s")))
    assert "no site is configured" not in one_sentence(capsys, "status", "--lab")
    monkeypatch.setenv("HFT_LAB", "mine")
    assert one_sentence(capsys, "status").startswith("hft: lab 'mine' is not up")


def test_a_verb_that_may_begin_a_site_has_its_name_by_the_same_rule_and_the_labs_before_it_is_up(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hft.sites import name_here

    assert (name_here("mine"), capsys.readouterr().err) == ("mine", "")
    assert name_here(None) == "lab-default"
    assert "no site is configured, so this is the lab (--site NAME names another)" in capsys.readouterr().err
    monkeypatch.setenv("HFT_LAB", "mine")
    assert (name_here(None), capsys.readouterr().err) == ("lab-mine", "")
    monkeypatch.delenv("HFT_LAB")
    write_site(tmp_path / "far.json", "far")
    (tmp_path / "hft.toml").write_text(text_of(Path("far.json")))
    assert name_here(None) == "far"
    monkeypatch.setenv("HFT_INVENTORY", str(write_site(tmp_path / "env.json", "env")))
    assert name_here(None) == "env"
    (tmp_path / "env.json").write_text("{")
    with pytest.raises(InventoryError, match=r"env.json"):
        name_here(None)


def test_a_lab_that_is_up_is_named_where_nobody_asked_for_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hft.sites.load_site", lambda _: None)
    from hft.sites import load

    load(None)
    assert "so this is the lab" in capsys.readouterr().err
    monkeypatch.setenv("HFT_LAB", "default")
    load(None)
    assert capsys.readouterr().err == ""


def test_two_sites_at_once_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "two sites" in one_sentence(capsys, "host", "list", "--lab", "--inventory", "x.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected inventory"),
        ("inventory = 3\n", "expected inventory"),
        ('inventroy = "s.json"\n', "did you mean 'inventory'"),
        ("inventory = \n", "not TOML"),
        ('inventory = "\\u0000"\n', "expected inventory"),
        ('inventory = "gone.json"\n', "there is no such file"),
    ],
)
def test_a_file_that_names_no_site_is_named(
    text: str, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "hft.toml").write_text(text)
    found = one_sentence(capsys, "host", "list")
    assert said in found
    assert str(here / "hft.toml") in found


def test_a_file_that_everybody_may_write_chooses_nothing(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here / "hft.toml"
    file.write_text(text_of(write_site(tmp_path / "s.json", "s")))
    file.chmod(0o666)
    assert "everybody may write it" in one_sentence(capsys, "host", "list")
    assert listed(capsys, "--inventory", tmp_path / "s.json") == "s"
    file.chmod(0o664)
    assert listed(capsys) == "s"
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)
        assert "it belongs to uid 12345" in one_sentence(capsys, "host", "list")


def test_a_choice_that_leads_nowhere_is_said_and_no_farther_one_is_taken(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hft_here(capsys, "site", "use", write_site(tmp_path / "used.json", "used")).code == 0
    (here / "hft.toml").symlink_to("gone.toml")
    assert "hft.toml: cannot be read" in one_sentence(capsys, "host", "list")
    (here / "hft.toml").unlink()
    (here / "hft.toml").write_text('inventory = "gone.json"\n')
    assert "hint: correct it there" in one_sentence(capsys, "host", "list")


@pytest.mark.parametrize(
    "words",
    [("host", "list", "--inventory", "~nobody-of-that-name/s.json"), ("site", "use", "~nobody-of-that-name")],
)
def test_a_home_that_nobody_knows_is_a_sentence(
    words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "without ~" in one_sentence(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("baseline", "show"),
        ("baseline", "accept", "--yes"),
        ("monitoring", "render", "made"),
        (
            "monitoring",
            "quiet",
            "--limit",
            "x",
            "--alertmanager",
            "http://x:1",
            "--reason",
            "r",
            "--",
            "true",
        ),
        ("monitoring", "deploy", "--dry-run"),
        ("inventory", "ansible", "--to", "made"),
    ],
    ids=" ".join,
)
def test_every_verb_about_a_site_asks_the_one_that_is_chosen_here(
    words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "hft.toml").write_text('inventory = "gone.json"\n')
    assert str(here / "hft.toml") in one_sentence(capsys, *words)


def test_a_working_directory_that_is_gone_is_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.rmdir()
    assert "working directory" in one_sentence(capsys, "site", "use", "s.json")


def test_a_verb_that_needs_no_site_asks_for_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "hft.toml").write_text("broken")
    (here / "tree" / "proc").mkdir(parents=True)
    assert "hft.toml" not in hft_here(capsys, "plan", "--tree", "tree").err


def test_a_path_survives_its_file(tmp_path: Path) -> None:
    for name in ('it\'s "a" \\ path.json', "tab\tand line\n.json", "dél\x7f.json"):
        path = write_site(tmp_path / name, "s")
        (tmp_path / "choice.toml").write_text(text_of(path), encoding="utf-8")
        assert read_choice(tmp_path / "choice.toml") == path


def test_what_is_used_can_be_shown_and_forgotten(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_site(tmp_path / "my site.json", "rack9")
    assert hft_here(capsys, "site", "use", path).code == 0
    shown = hft_here(capsys, "site", "show")
    assert (shown.code, "rack9, 1 host(s)" in shown.out, str(path) in shown.out) == (0, True, True)
    document = json.loads(hft_here(capsys, "site", "show", "--json").out)
    assert (document["source"], document["inventory"]) == ("hft site use", str(path))
    assert document["record"].endswith("/runs/rack9.jsonl")
    path.write_text("{")
    broken = hft_here(capsys, "site", "show")
    assert (broken.code, "not JSON" in broken.out) == (2, True)
    assert "not JSON" in one_sentence(capsys, "site", "use", path)
    assert hft_here(capsys, "site", "use", "--none").code == 0
    assert choose().source is Source.NOBODY


def test_use_says_when_something_nearer_wins(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "hft.toml").write_text(text_of(write_site(tmp_path / "near.json", "near")))
    said = hft_here(capsys, "site", "use", write_site(tmp_path / "s.json", "s"))
    assert f"by {here / 'hft.toml'} comes first" in said.out


def test_init_makes_its_folder_a_site(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hft_here(capsys, "init", "new").code == 0
    monkeypatch.chdir(here / "new")
    assert listed(capsys) == "colo"
    hint = hft_here(capsys, "plan").err  # a usage error: its hints name nothing
    assert "--inventory" not in hint


def test_a_hint_names_the_site_as_it_was_chosen(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --inventory, or in the folder of an hft.toml: it can be pasted anywhere. Of the lab: --lab."""
    path = write_site(tmp_path / "it's.json", "s")
    (here / "hft.toml").write_text(text_of(path))
    said = hft_here(capsys, "apply", "--dry-run", "--profile", "engine")
    assert said.code == 2
    hint = said.err.split("run: ")[1].splitlines()[0]
    assert shlex.split(hint)[-2:] == ["--inventory", str(path)], hint


def test_what_an_earlier_release_kept_is_found_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    before = tmp_path / ".local/state/hft"
    assert places.kept_state() == tmp_path / "elsewhere/hft"
    before.mkdir(parents=True)
    assert [places.kept_state(), places.kept_state()] == [before, before]
    assert capsys.readouterr().err.count("mv ") == 1
    (tmp_path / "elsewhere/hft").mkdir(parents=True)
    assert places.kept_state() == tmp_path / "elsewhere/hft"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert places.state_home() == tmp_path / ".local/state", "the specification ignores a relative one"


def test_no_place_that_can_be_looked_at_hides_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/x")
    assert places.kept_cache("lab") == Path("/dev/null/x/hft/lab")


def test_a_choice_that_was_never_made_is_the_lab(here: Path) -> None:
    assert choose().source is Source.NOBODY
    with pytest.raises(InventoryError, match=r"names .*gone"):
        (here / "hft.toml").write_text('inventory = "gone"')
        choose()
