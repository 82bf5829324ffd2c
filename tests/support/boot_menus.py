"""A boot menu and a candidate for it, as the agent renders them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.boot import grub
from tuning.snapshot.boot_menu import HOOK

TXN = "20261121T101500-3f2a9c1b"


BASE = ("root=UUID=4a5b", "ro", "console=tty0", "console=ttyS0,115200")


def menu(**changes: Any) -> grub.Menu:
    good = grub.Entry(txn=grub.ADOPTED, release="6.1.0-56-amd64", args=BASE)
    made = grub.Menu(fs_uuid="4a5b-6c", directory="/boot", base=BASE, good=good)
    return replace(made, **changes)


def candidate(txn: str = TXN, overlay: str | None = "hft-watchdog.img") -> grub.Candidate:
    args = grub.merged(BASE, ("isolcpus=managed_irq,domain,2-3", "nohz_full=2-3", "panic=10"))
    return grub.Candidate(txn=txn, release="6.1.0-56-amd64", args=args, watchdog_s=900, overlay=overlay)


def with_hook(grub_cfg: str) -> str:
    """A generated grub.cfg after our script has printed its hook, before the first entries."""
    ours = f"### BEGIN /etc/grub.d/09_hft ###\n{HOOK}\n### END /etc/grub.d/09_hft ###\n\n"
    first = "### BEGIN /etc/grub.d/10_linux ###"
    return grub_cfg.replace(first, ours + first)
