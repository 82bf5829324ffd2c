"""Build hook of the wheel: which commit it was built from goes along as hft/built.json.

An editable install has none: there `hft --version` asks git.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface[Any]):
    """Adds one file to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file where git knows the commit; a source without git has no such file."""
        if version == "editable":
            return
        argv = ["git", "-C", self.root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        try:
            said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
        except (OSError, subprocess.SubprocessError):
            return
        self.folder = tempfile.mkdtemp(prefix="hft-built-")
        path = Path(self.folder, "built.json")
        path.write_text(json.dumps({"commit": said.strip()}) + "\n")
        build_data["force_include"][str(path)] = "hft/built.json"
