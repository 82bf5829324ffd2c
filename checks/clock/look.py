"""The look at a host's clock: one script, one round trip; it changes nothing."""

from __future__ import annotations

from importlib import resources

PTP4L_SOCKET = "/run/hft-clock/ptp4l"
WATCH_SOCKET = "/run/chrony/hft-watch.sock"


def script(mark: str) -> bytes:
    """clock.sh for standard input, below the mark that opens each section: no argument shows it."""
    text = resources.files("checks.clock").joinpath("clock.sh").read_bytes()
    return f"mark={mark}\n".encode() + text


def argv(domain: int, samples: int, *, ptp4l: str = "", watch: str = "") -> tuple[str, ...]:
    """The command that reads it, by the planned sockets or others; SAMPLES offsets, one each second."""
    return ("sh", "-s", "--", ptp4l or PTP4L_SOCKET, watch or WATCH_SOCKET, str(domain), str(samples))
