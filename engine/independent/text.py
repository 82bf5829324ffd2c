"""Canonical JSON and digests, as the contract's page defines them."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: object) -> bytes:
    """UTF-8, sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data: bytes) -> str:
    """A digest string."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def load(data: bytes) -> Any:
    """A JSON document; ValueError for anything else."""
    return json.loads(data)
