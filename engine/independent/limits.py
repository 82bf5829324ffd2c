"""The signed limits file: read, verify with ssh-keygen(1), refuse what is old, expired or unsigned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from engine.independent import text
from engine.independent.mutants import broken

NUMBERS = (
    "order_quantity_max", "order_notional_max_e4", "gross_notional_max_e4", "collar_bps", "position_max",
    "messages_per_second_max", "open_orders_max", "duplicate_window_ms", "daily_loss_max_e4",
    "repeated_executions_max",
)  # fmt: skip


# A kill waits for a helper that hangs no longer than this.
PATIENCE_S = 1.0


class RefusedError(Exception):
    """A limits file that must not be used, with the reason."""


class Limits(NamedTuple):
    """A limits file that was accepted."""

    data: bytes
    values: dict[str, Any]
    digest: str


def parse(data: bytes) -> Limits:
    """The file's values, without judging signature or age."""
    try:
        values = text.load(data)
        engine = values["engine"]
        whole = [values["serial"], values["not_after_utc_ns"], *(engine[name] for name in NUMBERS)]
        if not all(type(number) is int and number >= 0 for number in whole) or not engine["symbols"]:
            raise ValueError("a limit is negative or not a whole number")
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"limits file cannot be used: {error}") from error
    return Limits(data, values, text.sha256(data))


def load(path: Path, allowed_signers: Path, serial: int, digest: str) -> Limits:
    """The file in PATH if it may follow the one with SERIAL and DIGEST; RefusedError otherwise."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RefusedError(f"limits file: {error}") from error
    if not (_signed(path, data, allowed_signers) or broken("limits.signed")):
        raise RefusedError(f"{path}: no good signature of `limits`")
    found = parse(data)
    if found.values["not_after_utc_ns"] <= time.time_ns() and not broken("limits.expired"):
        raise RefusedError(f"{path}: expired")
    number = found.values["serial"]
    if number < serial or (number == serial and found.digest != digest):
        raise RefusedError(f"{path}: serial {number} is not above {serial}")
    return found


def _signed(path: Path, data: bytes, allowed_signers: Path) -> bool:
    import subprocess  # costs a start 15 ms that --version and --check of a bad file need not pay

    argv = ["ssh-keygen", "-Y", "verify", "-n", "hft-limits", "-I", "limits", "-f", str(allowed_signers)]
    argv += ["-s", f"{path}.sig"]
    patience_s = 60.0 if broken("kill.helper") else PATIENCE_S
    try:
        return (
            subprocess.run(argv, input=data, capture_output=True, check=False, timeout=patience_s).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
