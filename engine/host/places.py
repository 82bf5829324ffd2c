"""The paths of an engine's files on its host, defined once for deploys and the on-host program."""

from __future__ import annotations

OPT = "/opt/hft"
RELEASES = f"{OPT}/releases"
SLOTS = f"{OPT}/slots"
ETC = "/etc/hft/engine"
TICKET_CONFIG = "/etc/hft/ticket.json"
TICKET_KEY = "/etc/hft/ticket.key"
TICKET_DIR = "/run/hft-ticket"
TICKET_SOCKET = f"{TICKET_DIR}/ticket.sock"
ACCOUNT = "hft-engine"
GATE = "/run/hft/engine-may-start"


def unit_of(slot: str) -> str:
    """The systemd unit of a slot."""
    return f"hft-engine-{slot}.service"


def config_of(slot: str) -> str:
    """The run configuration; it holds a password, so only root can read it, and systemd passes a copy."""
    return f"{ETC}/{slot}/config.json"


def limits_of(slot: str) -> str:
    """The signed limits; the signature is beside it, as `.sig`."""
    return f"{ETC}/{slot}/limits.json"


def signers_of(slot: str) -> str:
    """Who may sign the limits."""
    return f"{ETC}/{slot}/allowed_signers"


def run_dir(slot: str) -> str:
    """Admin socket and metrics page; in memory, removed with the service."""
    return f"/run/hft-engine-{slot}"


def state_dir(slot: str) -> str:
    """Journal and latch; survives everything but loss of the disk."""
    return f"/var/lib/hft-engine-{slot}"


def release_dir(digest: str) -> str:
    """The release of a digest `sha256:HEX`."""
    return f"{RELEASES}/{digest.removeprefix('sha256:')}"
