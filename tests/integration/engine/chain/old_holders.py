"""What becomes of a holder that comes back, and what the venue must never have accepted."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

from .production import HOST, Production


def woken(chain: Production, slot: str, epoch: int) -> int:
    """Let a frozen holder go on, and wait until its late orders were refused; how many."""
    before = chain.refusals("stale_epoch", f"{HOST}/{slot}")
    chain.running(slot).signal(signal.SIGCONT)
    return is_refused(chain, slot, epoch, before)


def is_refused(chain: Production, slot: str, epoch: int, before: int) -> int:
    """Wait until the old holder has sent and was refused, once more than BEFORE; how often since then."""

    def refused() -> int:
        chain.tilt()
        return chain.refusals("stale_epoch", f"{HOST}/{slot}") - before

    found = int(chain.until(refused, "a refusal of what the old holder sends"))
    chain.running(slot).wait_state("STANDBY")
    chain.trade_until(epoch, 3)
    return found


def violations(accepted: list[dict[str, Any]]) -> list[str]:
    """What the venue must never have accepted: an epoch below an earlier one, a ClOrdID twice."""
    orders = [line for line in accepted if line["type"] == "O"]
    highest, found = 0, []
    for line in orders:
        if line["epoch"] < highest:
            found.append(f"order {line['clordid']} of epoch {line['epoch']} after epoch {highest}")
        highest = max(highest, line["epoch"])
    counts = Counter(line["clordid"] for line in orders)
    return found + [f"{name} accepted {count} times" for name, count in counts.items() if count > 1]
