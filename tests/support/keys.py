"""Key pairs, made by ssh-keygen as everywhere else."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import output


def make_key(path: Path) -> Path:
    """A fresh key pair at PATH and PATH.pub; PATH."""
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path)
    return path


def public(path: Path) -> str:
    """The public half as known_hosts and inventories have it: kind and key, without a comment."""
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])
