"""The limits file: reload, serial, signature, expiry."""

from __future__ import annotations

import hashlib
import signal
from typing import Any

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.process import Engine
from engine.contract.process import ExitCode

REGISTER = Register()
case = REGISTER.case


def refuses_reload(engine: Engine, serial: int) -> None:
    """SIGHUP must be refused, and the loaded limits must stay."""
    before = engine.must("limits")
    engine.signal(signal.SIGHUP)
    after = engine.wait_status(
        "an answer to SIGHUP",
        lambda s: s["limits"]["refused"] > before["refused"] or s["limits"]["digest"] != before["digest"],
    )["limits"]
    demand(
        after["digest"] == before["digest"] and after["serial"] == serial, "the file was loaded, not refused"
    )


@case("limits.reload")
def sighup_loads_a_newer_file(bench: Bench) -> None:
    engine = bench.standby()
    data = bench.limits(serial=2, order_quantity_max=5)
    engine.signal(signal.SIGHUP)
    found = engine.wait_status(
        "an answer to SIGHUP", lambda s: s["limits"]["serial"] == 2 or s["limits"]["refused"]
    )
    wanted = "sha256:" + hashlib.sha256(data).hexdigest()
    demand(found["limits"]["digest"] == wanted, f"after SIGHUP the limits are {found['limits']}")


@case("limits.serial")
def lower_serial_and_same_serial_with_other_bytes(bench: Bench) -> None:
    bench.limits(serial=5)
    engine = bench.standby()
    bench.limits(serial=4)
    refuses_reload(engine, 5)
    bench.limits(serial=5, order_quantity_max=99)
    refuses_reload(engine, 5)


@case("limits.serial_survives")
def lower_serial_refuses_the_next_start(bench: Bench) -> None:
    bench.limits(serial=5)
    bench.standby().stop()
    bench.limits(serial=4)
    bench.must_exit(ExitCode.CONFIGURATION)


@case("limits.signed")
def stranger_or_no_signature_is_refused(bench: Bench) -> None:
    engine = bench.standby()
    for serial, key in ((2, "stranger"), (3, None)):
        bench.limits(serial=serial, key=key)
        refuses_reload(engine, 1)
    bench.must_exit(ExitCode.CONFIGURATION)


@case("limits.schema")
def values_outside_their_schema_are_refused(bench: Bench) -> None:
    engine = bench.standby()
    wrong: list[dict[str, Any]] = [
        {"messages_per_second_max": 0}, {"order_quantity_max": 0}, {"open_orders_max": -1},
        {"repeated_executions_max": 0}, {"symbols": ["hfta"]}, {"symbols": []}, {"collar_bps": -1},
        {"messages_per_second_max": 1_000_000, "duplicate_window_ms": 60_000},
    ]  # fmt: skip
    for serial, values in enumerate(wrong, 2):
        bench.limits(serial=serial, **values)
        refuses_reload(engine, 1)
    bench.must_exit(ExitCode.CONFIGURATION)


@case("limits.expired")
def expired_file_is_refused(bench: Bench) -> None:
    engine = bench.standby()
    bench.limits(serial=2, lasts_s=-60)
    refuses_reload(engine, 1)
    bench.must_exit(ExitCode.CONFIGURATION)
