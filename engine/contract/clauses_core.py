"""Clauses of level `core`: what every deploy needs from a process, whatever it trades."""

from __future__ import annotations

from engine.contract.clause import Clause, core

PROGRAM: tuple[Clause, ...] = (
    core(
        "manifest.printed",
        "`--manifest` prints the `engine.json` of its artifact: same digest, exit 0.",
        "the digest of a running binary must be traceable to one release",
    ),
    core(
        "version.printed",
        "`--version --json` prints name, version, contract, level and build as the manifest has them.",
        "a fleet is uniform only if every host can report what it runs",
    ),
    core(
        "check.accepts",
        "`--check` of a good configuration exits 0 and prints the digests of configuration and limits and "
        "the serial.",
        "deploys compare these digests before starting anything",
    ),
    core(
        "check.touches_nothing",
        "`--check` creates, changes and deletes no file and opens no connection.",
        "it runs beside the engine that is trading",
    ),
    core(
        "config.refused",
        "A configuration that cannot be used exits 64 with one sentence, in `--check` and at start.",
        "systemd must not restart what cannot work",
    ),
    core(
        "version.critical",
        "An unknown field named in `critical` refuses the document with exit 64.",
        "an old engine must not act on a document it only half understands",
    ),
    core(
        "version.unknown",
        "An unknown field not named in `critical` is ignored.",
        "otherwise the bundle could never add a field",
    ),
    core(
        "version.major",
        "A document of another major version of the contract is refused with exit 64.",
        "a major version may change meanings",
    ),
    core(
        "threads.declared",
        "Every thread that the process ever has carries a name that `threads[]` lists.",
        "an unlisted thread runs on unplanned CPUs, perhaps beside the hot one",
    ),
)

LIFE: tuple[Clause, ...] = (
    core(
        "start.cold",
        "A start, even after SIGKILL while ACTIVE, never leads to ACTIVE without a promote.",
        "a restarted engine must not trade beside the one that took over",
    ),
    core(
        "start.owned",
        "A start with journal, latch, page or admin socket of a running engine exits 75, names its pid, and "
        "changes nothing of it.",
        "two processes of one configuration would cut each other's journal, and a kill would reach the wrong "
        "one",
    ),
    core(
        "ready.truthful",
        "READY=1 is sent once, and from then on the admin socket answers with limits and latch loaded.",
        "whoever waits for READY uses the socket next",
    ),
    core(
        "ready.before_open",
        "READY=1 does not wait for market data.",
        "a standby is started before the venue sends anything",
    ),
    core(
        "notify.status",
        "STATUS= names the state after every transition.",
        "on-call reads systemctl status first",
    ),
    core(
        "watchdog.hot_loop",
        "WATCHDOG=1 stops while the hot loop does not turn, and is sent at least every WATCHDOG_USEC/2 while "
        "it does.",
        "a helper thread that always pings would hide a hung engine",
    ),
    core(
        "term.drains",
        "SIGTERM with nothing open ends with exit 0 and the last line.",
        "a stop must be distinguishable from a crash",
    ),
)

ADMIN: tuple[Clause, ...] = (
    core(
        "admin.status",
        "`status` answers with every field of its schema, and the digests are those of artifact, "
        "configuration and limits.",
        "hosts are judged by what runs, not by what was copied",
    ),
    core(
        "admin.errors",
        "A malformed line or unknown verb gets `bad_request` or `unknown_verb`; the connection stays usable.",
        "a mistyped command in an incident must not cost the connection",
    ),
    core(
        "admin.private",
        "The admin socket gives no access to others (mode 0600 or 0660).",
        "group membership on the host decides who may promote",
    ),
    core(
        "admin.journaled",
        "Every request that can change something is in the journal with the peer's uid.",
        "an audit asks who did it",
    ),
    core(
        "state.illegal",
        "A verb with no edge from the present state is refused with a code of the list and changes nothing.",
        "the table is complete: every illegal edge is tried",
    ),
    core(
        "state.journaled",
        "Every transition is a STATE record; together they form a legal path from INIT to the present state.",
        "the path explains an incident",
    ),
)

EPOCH: tuple[Clause, ...] = (
    core(
        "epoch.rises",
        "A promote with an epoch not greater than the highest ever seen is refused with `stale_epoch`.",
        "a late command must not bring back an old leader",
    ),
    core(
        "epoch.survives",
        "The highest epoch survives SIGKILL.",
        "otherwise a restarted engine forgets that it was fenced",
    ),
    core(
        "epoch.stamped",
        "Every record written while an epoch is held carries it.",
        "two journals of the same day must be distinguishable",
    ),
)

KILL: tuple[Clause, ...] = (
    core(
        "kill.signal",
        "SIGUSR1 leads to HALTED with the latch set; the process stays up and answers.",
        "the kill that needs no socket and no password",
    ),
    core(
        "kill.words",
        "A kill whose verb can be recognised kills, whatever its other words are: no UTF-8, missing, blank, "
        "of a wrong type, unknown, or too long.",
        "whoever kills in an emergency must not be corrected first",
    ),
    core(
        "kill.helper",
        "A kill works within three seconds although a program that the engine has started hangs.",
        "limits are reloaded by a helper, and a day is bad in more than one way at once",
    ),
    core(
        "kill.verb",
        "`kill` leads to HALTED and keeps scope, id and reason in the latch.",
        "the same, with a reason",
    ),
    core(
        "latch.survives",
        "The latch survives SIGKILL: the next start is HALTED.",
        "a supervisor's restart must not undo a kill",
    ),
    core(
        "latch.stays",
        "Every start after a kill is HALTED, not only the first one.",
        "who looks second must find what who looked first found",
    ),
    core(
        "latch.signal",
        "A kill by SIGUSR1 survives SIGKILL as one by the admin socket does.",
        "the way by which a kill came is no reason to forget it",
    ),
    core(
        "latch.unreadable",
        "An unreadable latch means HALTED.",
        "fail safe",
    ),
    core(
        "latch.full_disk",
        "A kill latches and survives a restart even when no file can grow.",
        "a full disk often comes with other faults",
    ),
    core(
        "latch.promote",
        "`promote` is refused with `latched` while the latch is set.",
        "a kill holds until a person clears it",
    ),
    core(
        "latch.named",
        "`unkill` without a named operator and a reason is refused with `operator`.",
        "clearing a kill is a decision that someone signs",
    ),
    core(
        "latch.to_syncing",
        "`unkill` leads to SYNCING and on to STANDBY, never to ACTIVE.",
        "trading again needs a new epoch",
    ),
)

LIMITS: tuple[Clause, ...] = (
    core(
        "limits.reload",
        "SIGHUP loads a newer signed limits file: `status` shows its serial and digest.",
        "limits change during the day",
    ),
    core(
        "limits.serial",
        "A file with a serial below the loaded one, or the same with other bytes, is refused; what was "
        "loaded stays.",
        "an old signed file with looser limits must be useless",
    ),
    core(
        "limits.serial_survives",
        "A start with a serial below the highest ever loaded exits 64.",
        "a restart must not bypass the rule",
    ),
    core(
        "limits.signed",
        "A file without a good signature is refused on reload and exits 64 at start.",
        "write access to the file must not suffice to loosen it",
    ),
    core(
        "limits.schema",
        "A file with a value outside its schema is refused on reload and exits 64 at start, whoever "
        "signed it.",
        "a rate of 0 must not mean none, nor a window that cannot be remembered a shorter one",
    ),
    core(
        "limits.expired",
        "An expired file is refused on reload and exits 64 at start.",
        "yesterday's limits need today's signature",
    ),
)

METRICS: tuple[Clause, ...] = (
    core(
        "metrics.page",
        "The metrics page has the layout of the contract, this process's identity, and every metric of its "
        "level.",
        "one exporter reads every engine",
    ),
    core(
        "metrics.heartbeat",
        "The page's heartbeat and turn counter move while the hot loop turns, and stop while it does not.",
        "a reader can tell hung from idle without a request",
    ),
    core(
        "metrics.state",
        "engine_state, engine_epoch and engine_latched follow every transition.",
        "dashboards and alerts depend on them",
    ),
)

JOURNAL: tuple[Clause, ...] = (
    core(
        "journal.records",
        "The journal is intact: headers, checksums and chain hold, and input_seq of inputs rises by one.",
        "what cannot be verified is not evidence",
    ),
    core(
        "journal.start",
        "Each run begins with a START record that names artifact, configuration and pid.",
        "the journal alone must say which build wrote it",
    ),
    core(
        "journal.recovers",
        "After a torn tail a start recovers to the last complete record, appends to it, and `status` says "
        "what it dropped.",
        "power may fail in the middle of a record",
    ),
    core(
        "journal.unknown_kind",
        "A record of an unknown kind without the skippable flag exits 70 at start; with it, it is skipped.",
        "an old release must not silently read half of a newer journal",
    ),
    core(
        "replay.exact",
        "`--replay` prints the state and decision digests that the live process had at that input, every "
        "time.",
        "a decision that cannot be reproduced cannot be explained",
    ),
)

CORE: tuple[Clause, ...] = (*PROGRAM, *LIFE, *ADMIN, *EPOCH, *KILL, *LIMITS, *METRICS, *JOURNAL)
