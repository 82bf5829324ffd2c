"""A failover file for programs that run here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_failover_file(
    path: Path, *, site: str, key: Path, gateways: Mapping[str, Any], engines: Mapping[str, Mapping[str, Any]]
) -> Path:
    """TOML with one table a program; values are JSON, which TOML reads alike but for its tables."""
    lines = [f"site = {json.dumps(site)}", f"authority_key = {json.dumps(str(key))}"]
    for kind, programs in (("gateways", gateways), ("engines", engines)):
        for name, fields in programs.items():
            lines += ["", f"[{kind}.{json.dumps(name)}]"]
            lines += [f"{field} = {toml(value)}" for field, value in fields.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def toml(value: object) -> str:
    """A text, a list, or an inline table of texts."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(str(value))
