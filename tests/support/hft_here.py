"""`hft` in the process of the test, as the console script runs it, without starting an interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from hft.cli import run_guarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one `hft` command printed and returned."""

    code: int
    out: str
    err: str


def hft_here(capsys: pytest.CaptureFixture[str], *words: object) -> Said:
    """Run `hft WORDS...`."""
    capsys.readouterr()
    code = int(run_guarded([str(word) for word in words]))
    out, err = capsys.readouterr()
    return Said(code=code, out=out, err=err)


def one_sentence(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one sentence that `hft WORDS...` ends with: exit code 2, nothing else on either stream."""
    said = hft_here(capsys, *words)
    assert said.code == 2, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.startswith("hft: ")
    assert said.err.endswith("\n")
    assert said.err.count("\n") == 1, said.err
    assert len(said.err) < 1000, said.err
    return said.err


def own_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let `hft` keep its state below FOLDER, and see no lab; the state directory."""
    monkeypatch.setenv("HFT_STATE", str(folder / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "xdg"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("HFT_LAB_DIR", str(folder / "no-lab"))
    for name in ("HFT_INVENTORY", "HFT_LAB"):
        monkeypatch.delenv(name, raising=False)
    return folder / "state"
