"""A Pulumi on PATH comes first, with the language host beside it; one of another release is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.hft_here import Said, hft_here, own_state

pytestmark = [
    pytest.mark.engine,
    needs.stacks(),
    needs.stack_engine(),
    pytest.mark.timeout(300),
]
pytest.importorskip("pulumi")

# A language host as an installed Pulumi has one: it tells its release.
HOST = """\
#!{python}
import sys
sys.path.insert(0, {root!r})
from pulumi.runtime.proto import plugin_pb2
from stacks.language import host
host.Host.GetPluginInfo = lambda *_: plugin_pb2.PluginInfo(version={version!r})
host.serve(sys.argv[1:])
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with the engine and what it needs; the language host is still to come."""
    own_state(tmp_path, monkeypatch)
    folder = tmp_path / "installed"
    folder.mkdir()
    for path in (ROOT / ".setup/stacks/bin").iterdir():
        (folder / path.name).symlink_to(path)
    launcher = "pulumi-resource-pulumi-python"
    (folder / launcher).symlink_to(ROOT / "stacks/language/bin" / launcher)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    return folder


def with_host_of(folder: Path, version: str) -> None:
    path = folder / "pulumi-language-python"
    path.write_text(HOST.format(python=sys.executable, root=str(ROOT), version=version))
    path.chmod(0o755)


def preview(folder: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    settings = folder.parent / "settings.yaml"
    settings.write_text(f"config:\n  rehearsal:directory: {folder.parent / 'world'}\n")
    return hft_here(capsys, "stack", "preview", "rehearsal", "--site", "try", "--settings", settings)


def test_the_engine_of_path_is_used_with_its_own_host_and_named(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_host_of(installed, "3.274.1")
    said = preview(installed, capsys)
    assert said.code == 3, said
    assert f"of PATH ({installed}/pulumi); language host: {installed}/pulumi-language-python;" in said.err


def test_a_host_of_another_release_than_its_engine_is_refused(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_host_of(installed, "3.100.0")
    said = preview(installed, capsys)
    assert said.code == 2, said
    assert "and its language host is of Pulumi 3.100.0; hint: install them of one release" in said.err


def test_a_host_that_says_nothing_is_named(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = installed / "pulumi-language-python"
    path.write_text("#!/bin/sh\necho nonsense\n")
    path.chmod(0o755)
    said = preview(installed, capsys)
    assert (said.code, f"{path} does not tell its version" in said.err) == (2, True), said


@pytest.mark.drill
def test_a_state_of_another_python_is_refused_until_it_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = own_state(tmp_path, monkeypatch)
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"config:\n  rehearsal:directory: {tmp_path / 'world'}\n  rehearsal:graph: '[]'\n")
    words = ("rehearsal", "--site", "try", "--yes")
    assert hft_here(capsys, "stack", "up", *words, "--settings", settings).code == 0
    record = state / "stacks/try/rehearsal.last.json"
    here = f"{sys.version_info.major}.{sys.version_info.minor}."
    record.write_text(record.read_text().replace(f'"{here}', '"3.7.'))
    said = hft_here(capsys, "stack", "up", *words)
    assert (said.code, "its state was written under Python 3.7." in said.err) == (2, True), said
    assert "or hft stack recover rehearsal --site try to go on with this" in said.err
    assert hft_here(capsys, "stack", "recover", *words).code == 0
    assert hft_here(capsys, "stack", "up", *words).code == 0
