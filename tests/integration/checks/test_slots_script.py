"""What an engine's account prepares costs the script that looks at engines no time, and tells nothing."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.facts import script_of
from checks.slot_facts import SlotFacts, parse_slots

Prepare = Callable[[Path, Path], object]


def look(folder: Path) -> SlotFacts:
    """One run over slot `a`, whose process is this one; systemd is asked nothing."""
    script = script_of("slots.sh", "@mark").decode()
    main = 'systemctl show --property=MainPID --value "hft-engine-$1.service"'
    swaps = {main: f"echo {os.getpid()}", "/etc/hft/engine": str(folder), "/opt/hft/slots": str(folder)}
    for old, new in swaps.items():
        assert old in script, old
        script = script.replace(old, new)
    argv = ["sh", "-s", "--", "0", "a"]
    done = subprocess.run(argv, input=script.encode(), capture_output=True, check=True, timeout=60)
    return parse_slots(done.stdout.decode(errors="replace"), "@mark")["a"]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Where the configuration of slot `a` says that its metrics page is."""
    (tmp_path / "a").mkdir()
    found = tmp_path / "metrics"
    (tmp_path / "a" / "config.json").write_text(f'{{"metrics_page":"{found}"}}')
    return found


def test_page_is_read(page: Path) -> None:
    page.write_bytes(b"HFTM" + b"x" * 200_000)
    seen = base64.b64decode(look(page.parent).sections["before.page"])
    assert seen.startswith(b"HFTM")
    assert len(seen) == 131_072


@pytest.mark.parametrize(
    "prepare",
    [
        lambda page, _: os.mkfifo(page),
        lambda page, secret: page.symlink_to(secret),
        lambda page, _: page.symlink_to("/dev/zero"),
        lambda page, _: page.mkdir(),
        lambda page, _: None,
    ],
    ids=["pipe", "link to a file of root's", "link to a device", "directory", "nothing"],
)
def test_page_that_is_no_file_costs_no_time_and_tells_nothing(prepare: Prepare, page: Path) -> None:
    secret = page.with_name("secret")
    secret.write_text("root's")
    prepare(page, secret)
    began_s = time.monotonic()
    seen = look(page.parent)
    assert time.monotonic() - began_s < 30
    assert not seen.sections["before.page"].strip()
    assert seen.pid == 0 or "before.stat" in seen.sections, "the rest was read"


def test_text_that_reaches_its_bound_counts_as_not_read(page: Path) -> None:
    manifest = page.parent / "a" / "engine.json"
    manifest.write_text("{}")
    assert look(page.parent).sections["manifest"].strip() == "{}"
    manifest.write_text("[" * 600_000)
    assert "manifest" not in look(page.parent).sections


@pytest.mark.parametrize("name", ["config.json", "engine.json"])
def test_pipe_in_the_place_of_a_document_costs_no_time(name: str, page: Path) -> None:
    page.write_bytes(b"HFTM")
    document = page.parent / "a" / name
    document.unlink(missing_ok=True)
    os.mkfifo(document)
    began_s = time.monotonic()
    seen = look(page.parent)
    assert time.monotonic() - began_s < 15
    assert "before.stat" in seen.sections, "the rest was read"
