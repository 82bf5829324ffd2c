"""A file that a name and a pattern both ask for is captured once: its content is what the file holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tuning.snapshot.capture import CAPTURE_SCRIPT, NAMED, read_by_name
from tuning.snapshot.files import parse_capture


@pytest.mark.parametrize("content", ["", "\n", "0-3\n"])
def test_what_is_named_and_found_by_a_pattern_has_its_content_once(tmp_path: Path, content: str) -> None:
    both = sorted(set(NAMED) - set(read_by_name()))
    assert both
    for name in both:
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    argv = ["sh", "-s", "--", str(tmp_path)]
    done = subprocess.run(argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=True)
    seen = parse_capture(done.stdout)
    assert {seen.files.get(f"/{name}", "") for name in both} == {content}
