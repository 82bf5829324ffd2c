"""From start to stop: cold starts, notifications, watchdog, a stop with nothing open."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register

REGISTER = Register()
case = REGISTER.case

WATCHDOG_MS = 2000
STALL_MS = 2500


@case("start.cold")
def restart_after_active_stays_cold(bench: Bench) -> None:
    engine = bench.active()
    engine.must("reduce", reason="case")
    engine.must("resume", operator="conformance", reason="case")
    engine.sigkill()
    engine = bench.launch()
    engine.wait_up()
    seen = engine.wait_state("STANDBY", "ACTIVE")
    demand(seen == "STANDBY", "ACTIVE after a restart, without a promote")
    engine.stays(0.2, "STANDBY after a restart", lambda status: status["state"] == "STANDBY")


@case("start.owned")
def a_second_start_leaves_the_first_alone(bench: Bench) -> None:
    engine = bench.active()
    mapped, journal = engine.page(), bench.journal()
    done = bench.run("--config", str(bench.write_config()), "--conformance")
    demand(done.returncode == 75, f"a second start exits {done.returncode}, not 75")
    demand(str(engine.pid) in done.stderr, f"a second start does not name process {engine.pid}")
    demand(engine.alive(), "the first engine ended")
    engine.hang_up()
    told = engine.status()
    demand(
        (told["pid"], told["state"]) == (engine.pid, "ACTIVE"),
        f"the admin socket answers as process {told['pid']} in {told['state']}",
    )
    demand(engine.page().start_time == mapped.start_time, "the page is another process's")
    after = bench.journal().records
    demand(after[: len(journal.records)] == journal.records, "the journal lost records")
    engine.must("kill", reason="case")
    engine.wait_state("HALTED")


@case("start.owned")
def a_page_that_is_mapped_outlives_a_restart(bench: Bench) -> None:
    bench.standby().stop()
    with (bench.directory / "metrics").open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        bench.standby()
        demand(os.fstat(file.fileno()).st_size == size, "a restart cut the page that a reader has open")


@case("ready.truthful")
def admin_answers_at_ready(bench: Bench) -> None:
    engine = bench.launch()
    engine.wait_ready()
    status = engine.status()  # one attempt: whoever waits for READY does not retry
    demand(status.get("ready") is True, "READY=1, but status does not report ready")
    demand(status.get("limits", {}).get("serial") == 1, "READY=1 before the limits are loaded")
    engine.wait_state("STANDBY")
    demand(len(engine.notes.all("READY")) == 1, "READY=1 more than once")


@case("ready.before_open")
def ready_without_any_packet(bench: Bench) -> None:
    bench.feed.running = False
    engine = bench.launch()
    engine.wait_ready()
    engine.wait_up()
    demand(engine.state() == "SYNCING", f"without a feed the state is {engine.state()}, not SYNCING")


@case("notify.status")
def status_follows_the_moves(bench: Bench) -> None:
    engine = bench.active()
    engine.must("demote")
    wanted = ["STANDBY", "ACTIVE", "STANDBY"]

    def told() -> list[str]:
        return [str(event.value).split(" ")[0] for event in engine.notes.all("STATUS")]

    engine.notes.wait(f"STATUS= {', '.join(wanted)}", lambda _: told()[-3:] == wanted, engine.patience_s)


@case("watchdog.hot_loop")
def pings_stop_with_the_hot_loop(bench: Bench) -> None:
    engine = bench.standby(watchdog_ms=WATCHDOG_MS)
    engine.notes.wait_count("WATCHDOG", 2, engine.patience_s)
    engine.must("stall", ms=STALL_MS)
    count = len(engine.notes.all("WATCHDOG"))
    pings = [event.at_s for event in engine.notes.wait_count("WATCHDOG", count + 2, engine.patience_s)]
    gaps = sorted(b - a for a, b in pairwise(pings))
    demand(gaps[-1] >= STALL_MS / 1000 * 0.7, f"pings continued during a stall of {STALL_MS} ms")
    demand(
        gaps[0] <= WATCHDOG_MS / 2000 + 0.2,
        f"pings {gaps[0]:.1f} s apart with WATCHDOG_USEC of {WATCHDOG_MS} ms",
    )


@case("term.drains")
def stop_with_nothing_open_exits_0(bench: Bench) -> None:
    engine = bench.standby()
    code = engine.stop()
    demand(code == 0, f"SIGTERM with nothing open exited {code}")
    line = engine.last_line()
    demand(line.get("exit") == 0 and line.get("open_orders") == 0, f"the last line says {line}")
    demand(line.get("journal_durable") is True, "the last line does not report a durable journal")


@case("metrics.heartbeat")
def heartbeat_stands_with_the_hot_loop(bench: Bench) -> None:
    engine = bench.standby()
    pause = 0.6

    def beats() -> tuple[int, int]:
        return engine.page().heartbeat_ns, engine.metric("engine_hot_turns_total")

    first, end = beats(), threading.Event()
    held: list[float] = []

    def watch() -> None:
        last, since = beats(), time.monotonic()
        while not end.wait(0.02):
            at, now = time.monotonic(), beats()
            if now[0] != last[0] or now[1] != last[1]:
                last, since = now, time.monotonic()
            held.append(at - since)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    engine.must("stall", ms=1500)
    end.set()
    watcher.join()
    demand(max(held, default=0.0) >= pause, "heartbeat or turn counter moved while the hot loop was stalled")
    engine.wait_status("a turn after the stall", lambda _: beats()[0] > first[0] and beats()[1] > first[1])
