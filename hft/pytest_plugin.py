"""The entry point `pytest11`: adds the options of `pytest --pyargs checks` to every pytest here.

It is loaded in repositories that have nothing to do with us and may have a package `checks` of their own. So
it imports none of our packages by name: the file with the options is loaded by its path, under another name.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

_FILE = Path(__file__).resolve().parents[1] / "checks" / "pytest_options.py"
_spec = importlib.util.spec_from_file_location("hft_checks_options", _FILE)
assert _spec is not None
assert _spec.loader is not None
_options = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_options)
pytest_addoption = _options.pytest_addoption
