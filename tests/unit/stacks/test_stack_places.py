"""Where a stack's things are, what its settings become, which engine is chosen; refusals in one sentence."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from stacks.errors import StackError, UnsettledError
from stacks.rehearsal.graph import graph_of
from stacks.runner.place import Place, make_ready, merge_settings, place_of, read_yaml
from stacks.runner.project_world import plain_settings, world_of
from stacks.runner.records import Recording, masked, outputs_of
from stacks.runner.tools import STAND_IN, environment, find_tools
from tests.support import needs


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    return place_of("rehearsal", "ny4")


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@needs.stacks()
def test_the_users_own_pulumi_comes_first_with_its_own_language_host(tmp_path: Path) -> None:
    mine, built = tmp_path / "mine", tmp_path / "built"
    engine, host = program(mine, "pulumi"), program(mine, "pulumi-language-python")
    program(built, "pulumi")
    found = find_tools(str(mine), built)
    assert (found.engine, found.host, found.is_stand_in) == (engine, host, False)
    assert "of PATH" in found.sentence("3.1.0")
    assert "PULUMI_HOME" not in environment(found, tmp_path, {"PATH": str(mine)})


@needs.stacks()
def test_the_built_engine_runs_with_the_stand_in_and_says_so(tmp_path: Path) -> None:
    program(tmp_path / "mine", "pulumi")  # without its language host it is of no use
    engine = program(tmp_path / "built", "pulumi")
    found = find_tools(str(tmp_path / "mine"), tmp_path / "built")
    assert (found.engine, found.host.parent) == (engine, STAND_IN)
    assert "language host: the stand-in of this release" in found.sentence("3.1.0")
    given = environment(found, tmp_path / "root", {"PATH": "/bin"})
    assert given["PATH"].split(":")[1:] == [str(tmp_path / "built"), str(STAND_IN), "/bin"]
    assert given["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(tmp_path / "root" / "passphrase")


def test_a_passphrase_of_the_users_own_is_used(tmp_path: Path) -> None:
    program(tmp_path, "pulumi")
    given = environment(find_tools("", tmp_path), tmp_path, {"PULUMI_CONFIG_PASSPHRASE": "x"})
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in given


@pytest.mark.parametrize(("has", "said"), [([], "no Pulumi engine is on PATH"), (["pulumi"], "without its")])
def test_without_an_engine_it_says_how_to_get_one(tmp_path: Path, has: list[str], said: str) -> None:
    for name in has:
        program(tmp_path / "mine", name)
    with pytest.raises(StackError, match=f"{said}.*make setup-stacks"):
        find_tools(str(tmp_path / "mine"), tmp_path / "built")


@pytest.mark.parametrize("site", ["", "../x", "a/b", "-x", "x" * 65])
def test_a_site_is_a_plain_name(site: str) -> None:
    with pytest.raises(StackError, match="--site"):
        place_of("rehearsal", site)


def test_what_is_no_project_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no folder with a Pulumi.yaml; projects here: .*rehearsal"):
        place_of(str(tmp_path), "ny4")


def test_a_project_of_ones_own_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    found = place_of(str(tmp_path), "ny4")
    assert (found.project, found.source) == ("mine", tmp_path)
    assert world_of(found) is None


@pytest.mark.parametrize(
    ("text", "said"), [("{", "not YAML"), ("- a", "expected a mapping"), ("config: 3", "expected a mapping")]
)
def test_settings_that_are_none_are_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(StackError, match=f"settings.yaml: {said}") as raised:
        read_yaml(path)
    assert "\n" not in str(raised.value)


def test_the_state_is_this_accounts_alone(place: Place) -> None:
    make_ready(place)
    for path in (place.root, place.work, place.root / "backend"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((place.root / "passphrase").stat().st_mode) == 0o600
    (place.root / "backend").chmod(0o777)
    with pytest.raises(StackError, match="others may write there"):
        make_ready(place)


def test_a_passphrase_is_made_once(place: Place) -> None:
    make_ready(place)
    before = (place.root / "passphrase").read_text()
    make_ready(place)
    assert (place.root / "passphrase").read_text() == before
    assert len(before) > 30


def test_a_state_that_cannot_be_made_is_one_sentence(place: Place) -> None:
    place.root.parent.parent.mkdir()
    place.root.parent.write_text("a file")
    with pytest.raises(StackError, match="HFT_STATE moves the state"):
        make_ready(place)


def test_new_settings_keep_the_secrets_that_were_set_and_their_salt() -> None:
    had = {"encryptionsalt": "v1:a", "config": {"r:token": {"secure": "x"}, "r:graph": "old"}}
    assert merge_settings(had, {"config": {"r:graph": "new"}}) == {
        "encryptionsalt": "v1:a",
        "config": {"r:token": {"secure": "x"}, "r:graph": "new"},
    }
    own = {"encryptionsalt": "v1:b", "config": {}}
    assert merge_settings(had, own) == own
    assert merge_settings({}, {"config": {"r:graph": "new"}}) == {"config": {"r:graph": "new"}}


def test_the_settings_that_are_no_secrets_include_the_projects_defaults(place: Place, tmp_path: Path) -> None:
    given = tmp_path / "given.yaml"
    given.write_text("config:\n  rehearsal:directory: /w\n  rehearsal:token: {secure: abc}\n")
    make_ready(place, given)
    found = plain_settings(place)
    assert (found["rehearsal:directory"], found["rehearsal:pause"]) == ("/w", "0")
    assert "abc" not in found.values()
    world = world_of(place)
    assert world is not None
    assert world.objects() == ()


def test_a_world_whose_settings_are_missing_is_one_sentence(place: Place) -> None:
    make_ready(place)
    with pytest.raises(StackError, match="setting rehearsal:directory is missing"):
        world_of(place)


@needs.stacks()
def test_the_engines_state_has_no_files_beside_it_that_are_written_in_place(tmp_path: Path) -> None:
    program(tmp_path / "built", "pulumi")
    given = environment(find_tools("", tmp_path / "built"), tmp_path / "root", {"PATH": "/bin"})
    assert given["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/root/backend?metadata=skip"


def checkpoint(place: Place, outputs: dict[str, object]) -> None:
    place.checkpoint.parent.mkdir(parents=True)
    row = {"urn": "u", "type": "pulumi:pulumi:Stack", "outputs": outputs}
    place.checkpoint.write_text(json.dumps({"checkpoint": {"latest": {"resources": [row]}}}))


def test_outputs_are_those_of_a_good_run_alone(place: Place) -> None:
    with pytest.raises(StackError, match="there is no stack for site ny4"):
        outputs_of(place)
    checkpoint(place, {"address": "10.0.0.1"})
    with pytest.raises(UnsettledError, match="of unknown end"):
        outputs_of(place)
    with pytest.raises(ZeroDivisionError), Recording(place.record, {"verb": "up"}):
        assert json.loads(place.record.read_text())["state"] == "running"
        raise ZeroDivisionError
    with pytest.raises(UnsettledError, match="the last up is failed"):
        outputs_of(place)
    with Recording(place.record, {"verb": "up"}):
        pass
    assert outputs_of(place) == {"address": "10.0.0.1"}


def test_secrets_are_taken_out_of_outputs_however_deep() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
    assert masked({"a": [secret, {"b": secret}], "c": 1}) == {"a": ["[secret]", {"b": "[secret]"}], "c": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("{}", "expected a list"),
        ("[1]", "expected a list"),
        ('[{"name": "a", "colour": "red"}]', "a: no such key: colour"),
        ('[{"name": "a", "needs": ["b"]}, {"name": "b"}]', "a needs b, which is not before it"),
        ('[{"name": "a"}, {"name": "a"}]', "a is there twice"),
    ],
)
def test_a_graph_that_is_none_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        graph_of(text)


def test_a_graph_keeps_its_order() -> None:
    text = '[{"name": "a", "keep": true}, {"name": "b", "needs": ["a"], "content": "x"}]'
    assert [(one.name, one.needs, one.keep) for one in graph_of(text)] == [
        ("a", (), True),
        ("b", ("a",), False),
    ]
