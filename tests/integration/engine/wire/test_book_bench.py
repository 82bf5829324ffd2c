"""The book benchmark as a program: it must tell the truth about its digests, its mix and a busy machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

SMALL = ("--messages", "30000", "--live", "2000", "--symbols", "50")
STAGES = ("decode", "book", "decode+book")


@pytest.mark.parametrize("mix", ["recent-delete", "uniform"])
@pytest.mark.parametrize("prefetch", [(), ("--no-prefetch",)])
def test_all_books_end_with_the_digest_of_the_independent_one(
    mix: str, prefetch: tuple[str, ...], native: Path
) -> None:
    argv = [str(native / "bin" / "hft-book-bench"), *SMALL, "--mix", mix, "--json", *prefetch]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["digest_equal"] is True
    assert result["verdict"] in ("measured", "inconclusive")
    assert (result["verdict"] == "inconclusive") == any(result[s]["stolen"] > 0.02 for s in STAGES)
    assert sum(result["types"].values()) == pytest.approx(100, abs=0.1)
    assert result["live_orders"] == pytest.approx(2000, rel=0.1)
    assert all(result[stage]["messages_per_s"] > 0 for stage in STAGES)


def test_wrong_words_are_usage_errors(native: Path) -> None:
    for words in (["--mix", "none"], ["--messages", "x"], ["--messages"], ["--live", "0"]):
        done = subprocess.run(
            [str(native / "bin" / "hft-book-bench"), *words], capture_output=True, check=False
        )
        assert done.returncode == 64, words
