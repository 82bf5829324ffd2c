"""The process interface: command line, signals, exit codes, notifications."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes (as in sysexits(3) where possible); systemd's RestartPreventExitStatus=64 70."""

    OK = 0
    CONFIGURATION = 64
    ORDERS_MAYBE_OPEN = 69
    INVARIANT_BROKEN = 70
    RETRY = 75


EXIT_MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "no open orders, and everything journaled is durable",
    ExitCode.CONFIGURATION: "configuration, manifest, limits or command line cannot be used; do not restart",
    ExitCode.ORDERS_MAYBE_OPEN: "stopped with orders possibly open, or the journal possibly not durable",
    ExitCode.INVARIANT_BROKEN: "an internal invariant is broken (journal, risk state); do not restart",
    ExitCode.RETRY: "an external resource is missing for now (port, socket, memory lock); a restart may help",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A row of the page: a name and what it must do."""

    name: str
    must: str


INVOCATIONS: tuple[Named, ...] = (
    Named(
        name="--config FILE",
        must="run until drained; starts cold, never ACTIVE by itself",
    ),
    Named(
        name="--config FILE --conformance",
        must="the same, and accepts the verbs `intent` and `stall`; refused (64) when `egress` is not `test` "
        "or `shadow`",
    ),
    Named(
        name="--check --config FILE",
        must='touch nothing; print `{"config_digest":"sha256:<64 hex>","limits_digest":"sha256:<64 '
        'hex>","limits_serial":N}` '
        "and exit 0, or one sentence on standard error and exit 64",
    ),
    Named(
        name="--replay DIRECTORY",
        must="read the journal in DIRECTORY, change nothing, print "
        '`{"input_seq":N,"state_digest":"sha256:<64 hex>","decision_digest":"sha256:<64 hex>"}` and exit 0',
    ),
    Named(
        name="--version --json",
        must='print `{"name":..,"version":..,"contract":..,"level":..,"build":..}` as the manifest has them',
    ),
    Named(name="--manifest", must="print the `engine.json` it was built with; same digest as the release"),
)

SIGNALS: tuple[Named, ...] = (
    Named(
        name="SIGTERM",
        must="drain: take no intent, cancel every open order, wait for the answers up to `drain_timeout_ms`, "
        "sync the journal, print the last line, exit 0 or 69",
    ),
    Named(name="SIGTERM again", must="stop waiting and exit; never with 0"),
    Named(name="SIGUSR1", must="kill: block, latch, cancel; the process stays up in HALTED"),
    Named(name="SIGHUP", must="reload the limits file and nothing else; all of it or none of it"),
    Named(
        name="SIGXFSZ, SIGPIPE",
        must="ignored: a full disk and a lost peer are errors to handle, not to die of",
    ),
)

NOTIFICATIONS: tuple[Named, ...] = (
    Named(
        name="READY=1",
        must="once, when threads are pinned, memory is locked, the latch is read, limits are loaded and the "
        "admin socket answers; a feed is not needed for it (a standby before the open is ready too)",
    ),
    Named(name="STATUS=STATE", must="after every transition; the first word is the state's name"),
    Named(name="STOPPING=1", must="when draining starts"),
    Named(
        name="WATCHDOG=1",
        must="at least every WATCHDOG_USEC/2, and only if the hot loop's own counter moved since the last "
        "one",
    ),
)

LAST_LINE = (
    "The last line on standard output of a run is "
    '`{"exit":N,"open_orders":N,"cancels_sent":N,"cancels_acked":N,"journal_durable":true,'
    '"state_digest":"sha256:<64 hex>","decision_digest":"sha256:<64 hex>"}`: what stopping did, and what '
    "it did not."
)
