"""The signed limits file: read, verify with ssh-keygen(1), refuse what is old, expired or unsigned."""

from __future__ import annotations

import re
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
FROM_ONE = (
    "order_quantity_max", "order_notional_max_e4", "gross_notional_max_e4", "messages_per_second_max",
    "open_orders_max", "repeated_executions_max",
)  # fmt: skip
RATE_MAX, REMEMBERED_MAX = 1_000_000, 1 << 20
SYMBOL = re.compile(r"[A-Z0-9.]{1,8}")


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
        if not broken("limits.schema"):
            _hold_to_schema(values["serial"], engine)
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"limits file cannot be used: {error}") from error
    return Limits(data, values, text.sha256(data))


def _hold_to_schema(serial: int, engine: dict[str, Any]) -> None:
    """ValueError for what the contract does not permit in any file."""
    if not serial or not all(engine[name] for name in FROM_ONE):
        raise ValueError("a limit that is at least 1 is 0")
    if not all(isinstance(name, str) and SYMBOL.fullmatch(name) for name in engine["symbols"]):
        raise ValueError("a symbol is not 1 to 8 of A-Z, 0-9 and .")
    rate, window_ms = engine["messages_per_second_max"], engine["duplicate_window_ms"]
    if rate > RATE_MAX or (window_ms and rate * (window_ms // 1000 + 1) > REMEMBERED_MAX):
        raise ValueError("more messages a second, or in the duplicate window, than can be remembered")


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
