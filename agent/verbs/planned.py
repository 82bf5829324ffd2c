"""The committed plan as hft-irqs reads it, anew each time: /var/lib/hft/plan.json is what was committed."""

from __future__ import annotations

import json
from typing import Any

from agent.host import HostRoot
from agent.paths import PLAN_FILE


def settings_of(host: HostRoot, kind: str) -> tuple[dict[str, Any], ...]:
    """The settings of one kind; none without a plan, and of what is no plan."""
    text = host.read(PLAN_FILE)
    try:
        return tuple(one for one in json.loads(text)["settings"] if one["kind"] == kind) if text else ()
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
