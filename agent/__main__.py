"""The agent's verbs. `agent.pyz [--root DIR] VERB [ARGUMENT...]`; every verb answers with one JSON document.

Each verb is a function `(host, argv) -> exit code` in a module that is imported only when it is called:
`status` has a budget of 100 ms, most of which Python's start takes. Exit codes: 0 done, 2 refused, 6
reverted, 8 another writer holds the lock.
"""

from __future__ import annotations

import importlib
import sys

from agent.host import HostRoot

VERBS: dict[str, tuple[str, str]] = {
    "apply": ("agent.verbs.apply", "apply"),
    "recover": ("agent.verbs.apply", "recover"),
    "revert": ("agent.verbs.apply", "revert"),
    "preflight": ("agent.verbs.preflight", "preflight"),
    "status": ("agent.verbs.status", "status"),
    "health": ("agent.health.health", "health"),
    "confirm": ("agent.health.health", "confirm"),
    "reboot": ("agent.boot.boot", "reboot"),
    "collect": ("agent.verbs.collect", "collect"),
    "gate": ("agent.verbs.gate", "gate"),
    "remove": ("agent.verbs.remove", "remove"),
    "awake": ("agent.verbs.awake", "awake"),
    "irqs": ("agent.verbs.irqs", "irqs"),
    "selftest": ("agent.verbs.selftest", "selftest"),
    "version": ("agent.verbs.status", "version"),
}
USAGE = f"usage: agent.pyz [--root DIR] {{{'|'.join(VERBS)}}} [ARGUMENT...]"


def main(argv: list[str]) -> int:
    """Run one verb and return its exit code."""
    root = "/"
    if len(argv) >= 2 and argv[0] == "--root":
        root, argv = argv[1], argv[2:]
    if not argv or argv[0] not in VERBS or not root.startswith("/"):
        print(USAGE, file=sys.stderr)
        return 2
    module, function = VERBS[argv[0]]
    verb = getattr(importlib.import_module(module), function)
    return int(verb(HostRoot(root=root), argv[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
