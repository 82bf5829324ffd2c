"""The running command line as far as it belongs to the host: what stood there before any plan of ours.

A tuned host's line holds `hft.good=` or `hft.txn=` (agent/boot/grub.py), and our menu keeps the line below it
in its first line, so that the host reads the same before and after tuning. Hugepage words belong together: a
count belongs to the size before it (Documentation/admin-guide/kernel-parameters.txt, hugepages=).
"""

from __future__ import annotations

from tuning.snapshot.boot_menu import base_words
from tuning.snapshot.files import Snapshot

_MARKS = ("hft.good=", "hft.txn=")
_POOL = ("default_hugepagesz", "hugepagesz", "hugepages")


def base_pool(snapshot: Snapshot) -> tuple[str, ...]:
    """The hugepage words of the host's own line, in order; none where they ask for nothing."""
    words = (snapshot.text("/proc/cmdline") or "").partition(" -- ")[0].split()
    if any(word.startswith(_MARKS) for word in words):
        words = list(base_words(snapshot))
    found = tuple(word for word in words if word.partition("=")[0] in _POOL)
    return found if any(map(_asks, found)) else ()


def _asks(word: str) -> bool:
    """Whether a word asks for something: a size for everybody, or a count that is not zero."""
    name, _, value = word.partition("=")
    counts = (one.rpartition(":")[2] for one in value.split(","))
    return name == "default_hugepagesz" or (name == "hugepages" and any(one.strip("0") for one in counts))
