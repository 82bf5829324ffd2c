"""state.json: what is committed on this host, which trial is open, what was rolled back last.

One small document, replaced as a whole (agent/durable.py). A transaction that commits at once changes it as
its own last file step, so that it is old or new together with everything else; the trial boot's parts are
changed by `update`.
"""

from __future__ import annotations

import json
from typing import Any

from agent import durable
from agent.host import STATE_FILE, VAR_DIR, Host
from agent.record import EMPTY_STATE


def read(host: Host) -> dict[str, Any]:
    """The state, with every key present; a missing or unreadable file reads as a host never touched."""
    text = host.read(STATE_FILE)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = {}
    return EMPTY_STATE | found if isinstance(found, dict) else dict(EMPTY_STATE)


def encode(state: dict[str, Any]) -> bytes:
    """The bytes of a state, the same for the same state."""
    return (json.dumps(state, sort_keys=True) + "\n").encode()


def update(host: Host, **parts: Any) -> dict[str, Any]:
    """Replace parts of the state durably and return the whole."""
    state = read(host) | parts
    durable.make_dirs(host, VAR_DIR)
    durable.write_file(host, STATE_FILE, encode(state), 0o600)
    return state
