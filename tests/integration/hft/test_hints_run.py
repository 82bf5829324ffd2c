"""Every command that a message names is run as it is printed, against a made site: it finds site and host."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.hinted import HINTED
from transport.hint import NO_INVENTORY, command, use_inventory

# What only a person knows, and a value that could be it.
TOLD = {"TEXT": "because", "SHA256:...": f"SHA256:{'A' * 43}", "PATH": "/nonexistent/site.toml"}
# Verbs that act on this machine or its lab: tests/unit/hft/test_hints.py parses them.
ON_THIS_MACHINE = {"lab", "demo", "doctor", "init", "drill"}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A site at which nobody answers, with a name that a shell would take apart."""
    host = {"name": "HOST", "address": "127.0.0.1", "ssh_port": 1, "role": "engine", "failure_domain": "a"}
    folder = tmp_path / "it's a $site"
    folder.mkdir()
    path = folder / "my site.json"
    path.write_text(json.dumps({"name": "made", "hosts": [host | {"profile": "engine"}]}))
    return path


@pytest.mark.parametrize("words", [one for one in HINTED if one[0] not in ON_THIS_MACHINE], ids=" ".join)
def test_a_hint_runs_as_printed(words: tuple[str, ...], hft: Callable[..., Any], inventory: Path) -> None:
    use_inventory(str(inventory))
    _, *printed = shlex.split(command(*words))
    said = hft(*(TOLD.get(word, word) for word in printed))
    assert "usage: " not in said.err, said.err
    assert "Traceback" not in said.err
    if words[0] in NO_INVENTORY:
        return
    assert "no host is called" not in said.err
    assert "lab" not in said.err, "it is the made site that was asked"
    if "HOST" in words and words[0] != "show":  # there it stands for the name of a run
        assert "HOST" in said.out + said.err
