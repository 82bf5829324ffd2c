"""state.json: what is committed on this host, which trial is open, what was rolled back last.

One small document, replaced as a whole (agent/durable.py). A transaction that commits immediately changes it
in its own last file step, so that it is old or new together with everything else; the trial boot's fields are
changed by `update`.
"""

from __future__ import annotations

import json
from typing import Any

from agent import durable
from agent.host import HostRoot
from agent.paths import EMPTY_STATE, STATE_FILE, VAR_DIR


def read(host: HostRoot) -> dict[str, Any]:
    """The state, with every key present; a missing or unreadable file reads as an untouched host."""
    text = host.read(STATE_FILE)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = {}
    return EMPTY_STATE | found if isinstance(found, dict) else dict(EMPTY_STATE)


def encode(state: dict[str, Any]) -> bytes:
    """The bytes of a state; equal states give equal bytes."""
    return (json.dumps(state, sort_keys=True) + "\n").encode()


def update(host: HostRoot, **parts: Any) -> dict[str, Any]:
    """Replace some keys of the state durably and return the whole."""
    state = read(host) | parts
    durable.private_dir(host, VAR_DIR)
    durable.write_file(host, STATE_FILE, encode(state), 0o600)
    return state
