"""The zipapp: built the same every time, runs on bare Python, installs itself whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.host import HostRoot
from agent.install.build import bootstrap_script, build_zipapp, in_memory
from agent.verbs.selftest import UNTOUCHED, document, lay_out
from tests.support.checkout import ROOT
from tests.support.kill_harness import PYTHON


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "agent.pyz"
    build_zipapp(path)
    return path


def call(agent: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-I", "-S", str(agent), *words], capture_output=True, text=True, check=False
    )


def test_the_same_source_gives_the_same_bytes_in_another_process(agent: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "agent.install.build", "-o", str(tmp_path / "again.pyz")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (tmp_path / "again.pyz").read_bytes() == agent.read_bytes()
    assert json.loads(call(agent, "version").stdout)["version"] == done.stdout.strip()


def test_the_selftest_passes_on_bare_python(agent: Path) -> None:
    done = call(agent, "selftest")
    assert (done.returncode, json.loads(done.stdout)["result"]) == (0, "ok")


def test_an_unknown_verb_is_refused_with_the_list_of_verbs(agent: Path) -> None:
    done = call(agent, "install")
    assert done.returncode == 2
    assert "apply|recover" in done.stderr


def test_nothing_outside_of_the_standard_library_is_imported(agent: Path) -> None:
    code = (
        f"import sys, pkgutil; sys.path.insert(0, {str(agent)!r}); import importlib, agent, tuning\n"
        "for package in (agent, tuning):\n"
        "    for one in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        if not one.name.endswith('__main__'): importlib.import_module(one.name)\n"
        "ours = {'agent', 'tuning', '__main__'} | set(sys.stdlib_module_names)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - ours))"
    )
    done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_call_installs_the_agent_its_units_and_its_version(tmp_path: Path) -> None:
    boot = bootstrap_script(str(tmp_path))
    for _ in range(2):
        done = subprocess.run(boot.argv, input=boot.stdin, capture_output=True, check=False)
        assert json.loads(done.stdout) == {
            "schema": 1,
            "version": boot.version,
            "result": "installed",
            "code": "ok",
        }
    lib = tmp_path / "usr/local/lib/hft"
    assert sorted(path.name for path in lib.iterdir()) == ["agent.pyz", "agent.version"]
    assert (lib / "agent.version").read_text().strip() == boot.version
    wants = tmp_path / "etc/systemd/system/sysinit.target.wants/hft-recover.service"
    assert wants.is_symlink()


@pytest.mark.parametrize("place", ["usr", "usr/local", "usr/local/lib", "usr/local/lib/hft"])
@pytest.mark.parametrize("kind", ["a file", "a pipe", "a link to nothing"])
def test_what_is_no_folder_on_the_agents_way_is_named(tmp_path: Path, place: str, kind: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    if kind == "a file":
        (tmp_path / place).write_text("theirs")
    elif kind == "a pipe":
        os.mkfifo(tmp_path / place)
    else:
        (tmp_path / place).symlink_to("/nowhere/at/all")
    before = sorted(tmp_path.rglob("*"))
    boot = bootstrap_script(str(tmp_path))
    done = subprocess.run(boot.argv, input=boot.stdin, capture_output=True, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["result"], answer["code"]) == (2, "refused", "preflight")
    assert f"{tmp_path / place}: it has to be a folder; move it away" in answer["message"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_looks_like_a_staged_agent_is_named(tmp_path: Path) -> None:
    (tmp_path / "usr/local/lib/hft/.agent.pyz.hft-x").mkdir(parents=True)
    boot = bootstrap_script(str(tmp_path))
    done = subprocess.run(boot.argv, input=boot.stdin, capture_output=True, check=False)
    assert ".agent.pyz.hft-x" in json.loads(done.stdout)["message"]


def test_an_upgrade_keeps_the_agent_before_and_a_cut_one_changes_nothing(tmp_path: Path) -> None:
    lib = tmp_path / "usr/local/lib/hft"
    lib.mkdir(parents=True)
    (lib / "agent.pyz").write_bytes(b"the one before")
    boot = bootstrap_script(str(tmp_path))
    cut = subprocess.run(boot.argv, input=boot.stdin[:-1], capture_output=True, check=False)
    assert (cut.returncode, json.loads(cut.stdout)["code"]) == (2, "truncated")
    assert [path.name for path in lib.iterdir()] == ["agent.pyz"]
    assert subprocess.run(boot.argv, input=boot.stdin, capture_output=True, check=False).returncode == 0
    assert (lib / "agent.pyz.prev").read_bytes() == b"the one before"
    assert boot.stdin.endswith((lib / "agent.pyz").read_bytes())


def test_a_verb_that_only_looks_runs_from_memory_and_the_host_keeps_nothing(tmp_path: Path) -> None:
    lay_out(HostRoot(root=str(tmp_path)))
    asked = in_memory("preflight", str(tmp_path))
    wanted = document("20260101T000000-00000001", "# new\n", "120", UNTOUCHED)
    for kind in ("free", "a folder"):
        if kind == "a folder":
            (tmp_path / "etc/sysctl.d/90-hft.conf").unlink()
            (tmp_path / "etc/sysctl.d/90-hft.conf").mkdir()
        before = sorted(str(path) for path in tmp_path.rglob("*"))
        stdin = asked.stdin + json.dumps(wanted).encode()
        done = subprocess.run(asked.argv, input=stdin, capture_output=True, check=False)
        said = [one["message"] for one in json.loads(done.stdout)["refusals"]]
        assert sorted(str(path) for path in tmp_path.rglob("*")) == before
        obstacles = [one for one in said if "topology" not in one and "captured" not in one]
        assert len(obstacles) == (kind == "a folder"), said
    cut = subprocess.run(asked.argv, input=asked.stdin[:-9], capture_output=True, check=False)
    assert (cut.returncode, b"truncated" in cut.stderr) == (1, True)
