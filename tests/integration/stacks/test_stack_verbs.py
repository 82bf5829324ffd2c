"""`hft stack` on the real engine, with objects that are files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import needs
from tests.support.hft_here import Said, hft_here, own_state

pytestmark = [pytest.mark.engine, needs.stacks(), needs.stack_engine(), pytest.mark.timeout(600)]
pytest.importorskip("pulumi")

from stacks.rehearsal import objects  # noqa: E402
from tests.support.stacks.canary import files_with, watched  # noqa: E402

CANARY = "c4n4ry-9f3b7a1e55d0"
SITE = ("--site", "try")


class Stage:
    """A world of files, settings for it, and `hft stack` with that site."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.world, self._capsys, self._count = folder, folder / "world", capsys, 0

    def settings(self, *graph: dict[str, Any]) -> Path:
        self._count += 1
        path = self.folder / f"settings-{self._count}.yaml"
        config = {"rehearsal:directory": str(self.world), "rehearsal:graph": json.dumps(graph)}
        path.write_text(yaml.safe_dump({"config": config}))
        return path

    def stack(self, verb: str, *words: object) -> Said:
        return hft_here(self._capsys, "stack", verb, "rehearsal", *SITE, *words)

    def up(self, *graph: dict[str, Any]) -> Said:
        return self.stack("up", "--settings", self.settings(*graph), "--yes")

    def names(self) -> list[str]:
        return [one.name for one in objects.all_of(self.world)]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Stage:
    own_state(tmp_path, monkeypatch)
    return Stage(tmp_path, capsys)


def test_a_stack_is_shown_made_told_looked_at_mended_and_destroyed(stage: Stage) -> None:
    settings = stage.settings({"name": "net"}, {"name": "host", "needs": ["net"]})
    shown = stage.stack("preview", "--settings", settings)
    assert (shown.code, stage.names()) == (3, [])
    assert "create host (pulumi-python:dynamic/hft:Item)" in shown.out
    assert "language host: the stand-in of this release; dynamic providers: Pulumi SDK" in shown.err
    made = stage.stack("up", "--yes")  # the settings are the last ones
    assert (made.code, sorted(stage.names())) == (0, ["host", "net"]), made
    again = stage.stack("up", "--yes")
    assert (again.code, again.out.splitlines()[0]) == (0, "nothing is to change"), again
    said = stage.stack("outputs", "--json")
    ids = {one.name: one.id for one in objects.all_of(stage.world)}
    assert json.loads(said.out)["outputs"]["ids"] == ids
    objects.delete(stage.world, ids["host"])
    drift = stage.stack("refresh", "--dry-run")
    assert (drift.code, "delete host" in drift.out) == (3, True), drift
    mended = stage.stack("up", "--refresh", "--yes", "--json")
    assert mended.code == 0, mended
    assert ("create", "host") in {(one["op"], one["name"]) for one in json.loads(mended.out)["done"]}
    assert sorted(stage.names()) == ["host", "net"]
    gone = stage.stack("destroy", "--yes")
    assert (gone.code, stage.names()) == (0, []), gone
    after = stage.stack("outputs")
    assert (after.code, "there is no stack for site try" in after.err) == (2, True)


def test_what_was_approved_is_done_and_nothing_else(stage: Stage) -> None:
    plan = stage.folder / "plan.json"
    assert stage.up({"name": "net"}, {"name": "host", "content": "one"}).code == 0
    first = stage.settings({"name": "net"}, {"name": "host", "content": "two"})
    assert stage.stack("preview", "--settings", first, "--save", plan).code == 3
    other = stage.stack("up", "--settings", stage.settings({"name": "net"}, {"name": "more"}), "--plan", plan)
    assert other.code == 2, other
    moved = stage.settings({"name": "net"}, {"name": "host", "content": "three"})
    refused = stage.stack("up", "--settings", moved, "--plan", plan, "--yes")
    assert refused.code != 0, refused
    assert {one.content for one in objects.all_of(stage.world) if one.name == "host"} == {"one"}
    assert stage.stack("up", "--settings", first, "--plan", plan, "--yes").code == 0
    assert {one.content for one in objects.all_of(stage.world) if one.name == "host"} == {"two"}


def test_yes_does_not_cover_a_replacement_until_the_plan_is_named(stage: Stage) -> None:
    assert stage.up({"name": "host", "place": "a"}).code == 0
    before = stage.names(), {one.id for one in objects.all_of(stage.world)}
    refused = stage.up({"name": "host", "place": "b"})
    assert refused.code == 2
    assert "host would be deleted or replaced, and --yes does not cover that" in refused.err
    assert before == (stage.names(), {one.id for one in objects.all_of(stage.world)})
    plan = stage.folder / "plan.json"
    digest = stage.stack("preview", "--save", plan).out.split()[-1]
    wrong = stage.stack("up", "--plan", plan, "--approve", "0" * 16, "--yes")
    assert (wrong.code, "is not the digest" in wrong.err) == (2, True), wrong
    assert stage.stack("up", "--plan", plan, "--approve", digest, "--yes").code == 0
    assert [one.place for one in objects.all_of(stage.world)] == ["b"]


def test_destroy_with_one_protected_object_deletes_none(stage: Stage) -> None:
    assert stage.up({"name": "net"}, {"name": "journal", "keep": True}).code == 0
    refused = stage.stack("destroy", "--yes")
    assert (refused.code, sorted(stage.names())) == (2, ["journal", "net"])
    assert "journal is protected, so nothing was deleted" in refused.err
    assert stage.up({"name": "net"}, {"name": "journal"}).code == 0
    assert stage.stack("destroy", "--yes").code == 0
    assert stage.names() == []


def test_a_failed_run_tells_where_and_leaves_no_outputs_to_believe(stage: Stage) -> None:
    assert stage.up({"name": "net"}).code == 0
    (stage.world / "capacity").write_text("1")
    failed = stage.up({"name": "net"}, {"name": "host"})
    assert failed.code == 10, failed
    assert "ended in the middle, at host: " in failed.err
    assert "no capacity" in failed.err
    assert "Traceback" not in failed.err
    void = stage.stack("outputs")
    assert (void.code, "the last up is failed, so its outputs are void" in void.err) == (10, True), void
    (stage.world / "capacity").unlink()
    assert stage.stack("recover", "--yes").code == 0
    assert stage.stack("up", "--yes").code == 0
    assert sorted(stage.names()) == ["host", "net"]
    assert stage.stack("outputs").code == 0


class Stdin:
    """Gives the canary, as a pipe would."""

    def isatty(self) -> bool:
        return False

    def read(self) -> str:
        return CANARY + "\n"


def every_verb_with_a_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[Said]:
    settings, plan = stage.settings({"name": "host"}), stage.folder / "plan.json"
    monkeypatch.setattr("sys.stdin", Stdin())
    return [
        stage.stack("secret", "token", "--settings", settings),
        stage.stack("preview", "--save", plan, "--json"),
        stage.stack("up", "--plan", plan, "--yes"),
        stage.stack("outputs", "--json"),
        stage.stack("refresh"),
    ]


def test_a_secret_is_in_no_output_state_log_plan_history_backup_or_argument(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with watched(CANARY, tmp_path / "none") as seen:
        runs = every_verb_with_a_secret(stage, monkeypatch)
    assert [run.code for run in runs] == [0, 3, 0, 0, 0], runs
    assert json.loads(runs[3].out)["outputs"]["token"] == "[secret]"
    assert seen == set()
    passphrase = (tmp_path / "state/stacks/try/passphrase").read_text()
    for text in (CANARY, passphrase):
        assert not any(text in run.out + run.err for run in runs)
        names = [path.name for path in files_with(text, tmp_path)]
        assert names == (["passphrase"] if text == passphrase else [])


@pytest.mark.drill
def test_a_secret_is_in_no_event_of_a_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"  # where a run's events go, which are gone when it has ended
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    with watched(CANARY, scratch) as seen:
        runs = every_verb_with_a_secret(stage, monkeypatch)
    assert [run.code for run in runs] == [0, 3, 0, 0, 0], runs
    assert seen == set()
    kept = {path.name for path in (tmp_path / "state/stacks/try/backend/.pulumi").iterdir()}
    assert {"backups", "history", "stacks"} <= kept


@pytest.mark.parametrize("verb", ["refresh", "destroy", "recover"])
def test_without_a_stack_there_is_nothing_to_do_and_it_says_how_to_begin(stage: Stage, verb: str) -> None:
    said = stage.stack(verb)
    assert (said.code, said.out) == (2, "")
    hint = "hint: hft stack up rehearsal --site try"
    assert said.err == f"hft: rehearsal: there is no stack for site try; {hint}\n"


def test_settings_that_the_program_refuses_are_one_sentence(stage: Stage) -> None:
    said = stage.stack("preview", "--settings", stage.settings({"name": "a", "needs": ["b"]}))
    assert said.code == 2, said
    assert "rehearsal:graph: a needs b, which is not before it" in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
