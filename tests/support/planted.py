"""Plant imports, one at a time, and say which contracts of import-linter each breaks.

A program of its own (`planted.py CONFIG FOLDER`; rows on standard input, answers on standard output, JSON
both), because import-linter looks packages up where Python would import them from: here that is FOLDER, a
copy of the root packages, and not the checkout that the tests have imported already.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

from importlinter import api  # noqa: F401  # it sets import-linter up
from importlinter.application import use_cases


def broken(config: str) -> list[str]:
    """The names of the contracts that do not hold; one that import-linter cannot read is an error."""
    report = use_cases.create_report(use_cases.read_user_options(config), cache_dir=None)
    if report.could_not_run:
        raise SystemExit(f"contracts that cannot be read: {report.invalid_contract_options}")
    return [contract.name for contract, check in report.get_contracts_and_checks() if not check.kept]


def with_line(config: str, path: Path, line: str) -> list[str]:
    """The same with LINE at the end of PATH, which is left as it was."""
    before = path.read_text()
    try:
        path.write_text(f"{before}\n{line}\n")
        return broken(config)
    finally:
        path.write_text(before)


def main() -> None:
    """Answer the rows: what is broken with nothing planted, then one list per row."""
    config, folder = sys.argv[1:]
    sys.path.insert(0, folder)
    rows: list[list[str]] = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):  # where it shows its progress
        for package in use_cases.read_user_options(config).session_options["root_packages"]:
            spec = find_spec(package)
            if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(folder):
                raise SystemExit(f"{package} is not found in {folder}: its planted imports would not be seen")
        use_cases._register_contract_types(use_cases.read_user_options(config))
        answers = [broken(config), *(with_line(config, Path(folder, file), line) for file, line in rows)]
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
