"""`python -m engine.contract`: check that page and schemas are current (exit 1 if not), or --write them."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.contract.page import page
from engine.contract.schemas import DIRECTORY, schema_texts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engine-contract.md"


def outdated() -> dict[Path, str]:
    """Every generated file that is out of date, with its new text."""
    wanted = {PAGE: page(), **{DIRECTORY / name: text for name, text in schema_texts().items()}}
    return {path: text for path, text in wanted.items() if not path.is_file() or path.read_text() != text}


def main(argv: list[str]) -> int:
    """Compare, or write."""
    if argv not in ([], ["--write"]):
        print("usage: python -m engine.contract [--write]", file=sys.stderr)
        return 2
    changed = outdated()
    for path, text in changed.items():
        if argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        print(f"{'wrote' if argv else 'out of date'}: {path}")
    return 1 if changed and not argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
