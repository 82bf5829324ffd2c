"""What an engine leaves in files: the metrics page and the journal."""

from __future__ import annotations

import json
from pathlib import Path

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.cases.program import printed
from engine.contract import metrics
from engine.contract.canonical import digest
from engine.contract.journal import INPUT, SKIPPABLE, VERSION, Kind, Record, record_bytes
from engine.contract.levels import Level
from engine.contract.process import ExitCode
from engine.contract.states import NUMBER, State

REGISTER = Register()
case = REGISTER.case


@case("metrics.page")
def page_is_whole_and_its_own(bench: Bench) -> None:
    engine = bench.standby()
    page = engine.page()
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ticks = int(Path(f"/proc/{engine.pid}/stat").read_text().rpartition(")")[2].split()[19])
    seen, wanted = (page.boot_id, page.pid, page.start_time), (boot_id, engine.pid, ticks)
    demand(seen == wanted, f"the page has boot, pid, start {seen}, not {wanted}")
    needed = (*metrics.CORE, *(metrics.TRADING if bench.level is not Level.CORE else ()))
    for metric in needed:
        entry = page.entries.get(metric.name)
        demand(entry is not None, f"the page has no {metric.name}")
        if entry is not None:
            demand(
                (entry.type, entry.unit) == (metric.type, metric.unit),
                f"{metric.name} has the wrong type or unit",
            )


@case("metrics.state")
def gauges_follow_the_moves(bench: Bench) -> None:
    engine = bench.standby()
    engine.wait_metric("engine_state", NUMBER[State.STANDBY])
    engine.must("promote", epoch=7)
    engine.wait_metric("engine_state", NUMBER[State.ACTIVE])
    engine.wait_metric("engine_epoch", 7)
    engine.must("kill", reason="case")
    engine.wait_metric("engine_state", NUMBER[State.HALTED])
    engine.wait_metric("engine_latched", 1)


@case("journal.records")
def journal_reads_whole(bench: Bench) -> None:
    engine = bench.active()
    engine.must("demote")
    engine.stop()
    journal = bench.journal()
    demand(not journal.ended, f"the journal ends early: {journal.ended}")
    demand({r.version for r in journal.records} == {VERSION}, "no records, or records of a different version")
    inputs = [r.input_seq for r in journal.records if r.flags & INPUT]
    demand(inputs == list(range(1, len(inputs) + 1)), f"input_seq of inputs is not 1..{len(inputs)}")
    seen = 0
    for record in journal.records:
        seen = record.input_seq if record.flags & INPUT else seen
        demand(record.input_seq == seen, f"a record after input {seen} has input_seq {record.input_seq}")
    unknown = {r.kind for r in journal.records if r.kind < 100 and r.kind not in tuple(Kind)}
    demand(not unknown, f"kinds not in the contract: {unknown}")


@case("journal.start")
def every_run_starts_with_start(bench: Bench) -> None:
    pids = []
    for _ in range(2):
        engine = bench.standby()
        pids.append(engine.pid)
        engine.stop()
    starts = [json.loads(r.payload) for r in bench.journal().records if r.kind == Kind.START]
    wanted = [{"artifact": bench.artifact.digest, "config": digest(bench.config), "pid": pid} for pid in pids]
    seen = [{name: start.get(name) for name in ("artifact", "config", "pid")} for start in starts]
    demand(seen == wanted, f"START records are {seen}")
    demand(bench.journal().records[0].kind == Kind.START, "the first record is not START")


@case("journal.recovers")
def cut_tail_is_dropped_and_told(bench: Bench) -> None:
    bench.standby().stop()
    before = bench.journal()
    last = before.records[-1]
    size = 64 + len(last.payload) + -len(last.payload) % 8
    path = bench.directory / "journal" / before.segment
    with path.open("r+b") as segment:
        segment.truncate(before.offset - 5)
    for later in (p for p in path.parent.iterdir() if p.name > path.name):
        later.unlink()
    engine = bench.standby()
    told = engine.status()["journal"]
    demand(told["dropped_bytes"] == size - 5, f"dropped_bytes is {told['dropped_bytes']}, not {size - 5}")
    demand(told["recovered_records"] >= 1, "recovered_records is 0")
    engine.stop()
    after = bench.journal()
    kept = before.records[:-1]
    demand(not after.ended, f"the journal ends early after recovery: {after.ended}")
    demand(
        after.records[: len(kept)] == kept and len(after.records) > len(kept), "records were lost or changed"
    )


def append(bench: Bench, *, flags: int) -> None:
    """Append one record of a kind unknown to every version."""
    journal = bench.journal()
    last = journal.records[-1]
    record = Record(
        version=VERSION, kind=99, flags=flags, epoch=0, input_seq=last.input_seq,
        monotonic_ns=last.monotonic_ns,
        utc_ns=last.utc_ns, previous_crc=last.crc32c, crc32c=0, payload=b"from the future",
    )  # fmt: skip
    with (bench.directory / "journal" / journal.segment).open("r+b") as segment:
        segment.seek(journal.offset)
        segment.write(record_bytes(record))


@case("journal.unknown_kind")
def unknown_kind_exits_70(bench: Bench) -> None:
    bench.standby().stop()
    append(bench, flags=0)
    bench.must_exit(ExitCode.INVARIANT_BROKEN)


@case("journal.unknown_kind")
def skippable_unknown_kind_is_skipped(bench: Bench) -> None:
    bench.standby().stop()
    append(bench, flags=SKIPPABLE)
    bench.standby()


def replays(bench: Bench) -> None:
    """Two replays must print the digests of the last line; the exit code is judged elsewhere."""
    engine = bench.engines[-1]
    engine.must("demote")
    engine.stop()
    names = ("state_digest", "decision_digest")
    line = engine.last_line()
    for _ in range(2):
        found = printed(bench.run("--replay", str(bench.directory / "journal")), "--replay")
        wrong = [name for name in names if found.get(name) != line.get(name) or not line.get(name)]
        demand(not wrong, f"--replay prints a different {' and '.join(wrong)} than the run")
        last = max(r.input_seq for r in bench.journal().records)
        demand(found.get("input_seq") == last, f"--replay stopped at {found.get('input_seq')}, not {last}")


@case("replay.exact")
def replay_of_moves(bench: Bench) -> None:
    engine = bench.active()
    engine.must("demote")
    engine.must_not("stale_epoch", "promote", epoch=7)
    engine.must("promote", epoch=8)
    replays(bench)


@case("replay.exact", Level.TRADING)
def replay_of_a_traded_day_with_a_restart(bench: Bench) -> None:
    bench.config["drain_timeout_ms"] = 500
    engine = bench.active()
    bench.feed.publish("AB", 3)
    urn = engine.must("intent", side="B", quantity=10, symbol="HFTA", price_e4=980_000)["urn"]
    bench.count("order", 1)
    bench.gateway.fill(urn, 4, 980_000)
    engine.wait_status("the execution", lambda status: status["positions"].get("HFTA") == 4)
    engine.sigkill()
    engine = bench.active(8)
    engine.must("intent", side="S", quantity=4, symbol="HFTA", price_e4=1_000_000)
    bench.count("order", 2)
    replays(bench)
