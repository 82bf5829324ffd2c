"""The independent engine's command line: print one answer, or run."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from engine.independent import config, journal, limits, text
from engine.independent.core import replay
from engine.independent.engine import Engine
from engine.independent.fault import CONFIGURATION, RETRY, EndError
from engine.independent.latch import Latch
from engine.independent.mutants import broken, choose
from engine.independent.ownership import claim
from engine.independent.parts import Parts

FEED_STALE_MS, PROFILE = 1000, "ouch5-2023-05"
NEVER_MS = 1 << 40  # of journals from before the limit


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise EndError(CONFIGURATION, message)


def main(argv: list[str], home: Path) -> int:
    """Run; HOME is the artifact's directory."""
    parser = _Parser(prog="stub", description="An engine in plain Python that keeps the engine contract.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the run configuration")
    parser.add_argument("--check", action="store_true", help="check the configuration, change nothing")
    parser.add_argument("--conformance", action="store_true", help="accept the verbs intent and stall")
    parser.add_argument("--replay", type=Path, metavar="DIRECTORY", help="print the digests of a journal")
    parser.add_argument("--version", action="store_true", help="name, version and build as JSON")
    parser.add_argument("--json", action="store_true", help="with --version")
    parser.add_argument("--manifest", action="store_true", help="print engine.json")
    parser.add_argument("--mutant", metavar="CLAUSE", help="break this clause of the contract")
    try:
        options = parser.parse_args(argv)
        if options.mutant:
            choose(options.mutant)
        return _dispatch(options, home)
    except EndError as error:
        print(f"stub: {error}", file=sys.stderr)
        return error.code


def _dispatch(options: argparse.Namespace, home: Path) -> int:
    manifest = text.load((home / "engine.json").read_bytes())
    if options.manifest:
        if broken("manifest.printed"):
            manifest["identity"]["build"] = "another"
        print(text.canonical(manifest).decode())
    elif options.version:
        build = "another" if broken("version.printed") else manifest["identity"]["build"]
        known = {**manifest["identity"], "build": build}
        known |= {"contract": manifest["contract"], "level": manifest["level"]}
        print(text.canonical(known).decode())
    elif options.replay:
        _replay(options.replay)
    elif options.config is None:
        raise EndError(CONFIGURATION, "--config FILE is missing; try --help")
    elif options.check:
        _check(options.config)
    else:
        return _run(options, manifest)
    return 0


def _replay(directory: Path) -> None:
    records = journal.read(directory)
    if broken("replay.exact"):
        records = records[:-5]
    core = replay(records, *_replay_facts(records))
    found = {"input_seq": core.input_seq, "state_digest": core.state_digest()}
    print(text.canonical({**found, "decision_digest": core.decision_digest()}).decode())


def _replay_facts(records: list[journal.Record]) -> tuple[int, str, int]:
    """The part of the configuration that affects decisions: kept in the first START record."""
    for record in records:
        if record.kind == journal.START:
            facts = text.load(record.payload)
            return facts["feed_stale_ms"], facts["venue_profile"], facts.get("order_age_max_ms", NEVER_MS)
    return FEED_STALE_MS, PROFILE, NEVER_MS


def _check(path: Path) -> None:
    found = config.read(path)
    try:
        limit = limits.load(_path(found, "limits_file"), _path(found, "allowed_signers"), 0, "")
    except limits.RefusedError as error:
        raise EndError(CONFIGURATION, str(error)) from error
    if broken("check.touches_nothing"):
        _path(found, "latch_file").touch()
    told: dict[str, Any] = {"config_digest": found.digest, "limits_digest": limit.digest}
    if not broken("check.accepts"):
        told["limits_serial"] = limit.values["serial"]
    print(text.canonical(told).decode())


def _path(found: config.Config, name: str) -> Path:
    return Path(found.values[name])


def _run(options: argparse.Namespace, manifest: dict[str, Any]) -> int:
    found = config.read(options.config)
    if options.conformance and found.values["egress"] == "live":
        raise EndError(CONFIGURATION, "--conformance needs egress test or shadow")
    _name_thread("stub-hot")
    if broken("threads.declared"):
        threading.Thread(target=_rogue, daemon=True).start()
    engine = Engine(_collect(options, found, manifest))
    for name in ("SIGTERM", "SIGUSR1", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda _, __, name=name: engine.signals.append(name))  # type: ignore[misc]
    try:
        engine.start()
    except OSError as error:
        raise EndError(RETRY, f"cannot start: {error}") from error
    return engine.run()


def _collect(options: argparse.Namespace, found: config.Config, manifest: dict[str, Any]) -> Parts:
    """Journal, limits and latch, in the order of their dependencies; first of all, what this process owns."""
    owned = ("latch_file", "metrics_page", "admin_socket")
    claim(_path(found, "journal_directory"), *(_path(found, name) for name in owned))
    book = journal.EngineJournal(
        _path(found, "journal_directory"), durable=found.values["durability"] == "durable"
    )
    records = book.recover()
    age_ms = found.values.get("order_age_max_ms", config.ORDER_AGE_MS)
    core = replay(records, found.values["feed_stale_ms"], found.values["venue_profile"], age_ms)
    paths = (_path(found, "limits_file"), _path(found, "allowed_signers"))
    serial = 0 if core.serial and broken("limits.serial_survives") else core.serial
    try:
        limit = limits.load(*paths, serial, core.limits_digest)
    except limits.RefusedError as error:
        raise EndError(CONFIGURATION, str(error)) from error
    book.open()
    latch = Latch(_path(found, "latch_file"))
    first = not any(record.kind == journal.START for record in records)
    set_by = latch.read(first_start=first)
    artifact = text.sha256(text.canonical(manifest))
    core.restart()
    started: dict[str, Any] = {"artifact": artifact, "config": found.digest, "pid": os.getpid()}
    if broken("journal.start"):
        started["pid"] = 0
    started |= {name: found.values[name] for name in ("feed_stale_ms", "venue_profile")}
    started["order_age_max_ms"] = age_ms
    book.append(journal.START, text.canonical(started), 0)
    level = manifest["level"]
    return Parts(found, options.conformance, level, artifact, core, book, limit, latch, set_by)


def _rogue() -> None:
    _name_thread("rogue")
    time.sleep(3600)


def _name_thread(name: str) -> None:
    """Set the name that /proc shows for this thread."""
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name, encoding="ascii")
