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
        "a fleet is uniform only if every host can say what it has",
    ),
    core(
        "check.accepts",
        "`--check` of a good configuration exits 0 and prints the digests of configuration and limits and "
        "the serial.",
        "deploys compare these digests before anything is started",
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
        "an old engine must not half understand a new order",
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
        "an unlisted thread lands where nobody planned it, maybe beside the hot one",
    ),
)

LIFE: tuple[Clause, ...] = (
    core(
        "start.cold",
        "A start, also one after SIGKILL while ACTIVE, never leads to ACTIVE without a promote.",
        "a restart must not trade beside the engine that took over",
    ),
    core(
        "ready.truthful",
        "READY=1 comes once, and from then on the admin socket answers with limits and latch loaded.",
        "what waits for READY goes on to talk to it",
    ),
    core(
        "ready.before_open",
        "READY=1 does not wait for market data.",
        "a standby is started before the venue sends anything",
    ),
    core(
        "notify.status",
        "STATUS= names the state after every move.",
        "systemctl status is what on-call reads first",
    ),
    core(
        "watchdog.hot_loop",
        "WATCHDOG=1 stops while the hot loop does not turn, and comes at least every WATCHDOG_USEC/2 while "
        "it does.",
        "a helper thread that always pings hides a hung engine",
    ),
    core(
        "term.drains",
        "SIGTERM with nothing open ends with exit 0 and the last line.",
        "stop must be told from crash",
    ),
)

ADMIN: tuple[Clause, ...] = (
    core(
        "admin.status",
        "`status` answers with every field of its schema, and the digests are those of artifact, "
        "configuration and limits.",
        "the fleet is judged by what runs, not by what was copied",
    ),
    core(
        "admin.errors",
        "A malformed line or unknown verb gets `bad_request` or `unknown_verb`; the connection stays usable.",
        "a wrong command in an incident must not cost the connection",
    ),
    core(
        "admin.private",
        "The admin socket gives no access to others (mode 0600 or 0660).",
        "who may promote is decided by the host's groups",
    ),
    core(
        "admin.journaled",
        "Every request that can change something is in the journal with the peer's uid.",
        "an audit asks who did it",
    ),
    core(
        "state.illegal",
        "A verb with no edge from the present state is refused with a code of the list and changes nothing.",
        "the table is the promise; every illegal edge is tried",
    ),
    core(
        "state.journaled",
        "Every move is a STATE record; together they are a path of legal edges from INIT to the present "
        "state.",
        "after an incident the path is the story",
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
        "otherwise a restart forgets that it was fenced",
    ),
    core(
        "epoch.stamped",
        "Every record written while an epoch is held carries it.",
        "two journals of one day must be told apart",
    ),
)

KILL: tuple[Clause, ...] = (
    core(
        "kill.signal",
        "SIGUSR1 leads to HALTED with the latch set; the process stays up and answers.",
        "the kill that needs no socket and no password",
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
        "latch.unreadable",
        "An unreadable latch means HALTED.",
        "the safe answer wins",
    ),
    core(
        "latch.full_disk",
        "A kill latches and survives a restart when no file can be made longer.",
        "a full disk is when things go wrong together",
    ),
    core(
        "latch.promote",
        "`promote` is refused with `latched` while the latch is set.",
        "a kill holds until a person clears it",
    ),
    core(
        "latch.named",
        "`unkill` without a named operator and a reason is refused with `operator`.",
        "clearing a kill is a decision with a name under it",
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
        "an old, looser signed file must be worthless",
    ),
    core(
        "limits.serial_survives",
        "A start with a serial below the highest ever loaded exits 64.",
        "a restart must not be the way around the rule",
    ),
    core(
        "limits.signed",
        "A file without a good signature is refused on reload and exits 64 at start.",
        "the person who can write the file is not the one who may loosen it",
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
        "a reader tells hung from idle without asking",
    ),
    core(
        "metrics.state",
        "engine_state, engine_epoch and engine_latched follow the moves.",
        "dashboards and alerts stand on them",
    ),
)

JOURNAL: tuple[Clause, ...] = (
    core(
        "journal.records",
        "The journal reads whole: headers, checksums and chain hold, and input_seq of inputs rises by one.",
        "what cannot be verified is not evidence",
    ),
    core(
        "journal.start",
        "Each run begins with a START record that names artifact, configuration and pid.",
        "the journal alone must say which build wrote it",
    ),
    core(
        "journal.recovers",
        "After a cut tail a start recovers to the last whole record, goes on behind it, and `status` says "
        "what it dropped.",
        "power fails in the middle of a record",
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
        "a decision that cannot be repeated cannot be explained",
    ),
)

CORE: tuple[Clause, ...] = (*PROGRAM, *LIFE, *ADMIN, *EPOCH, *KILL, *LIMITS, *METRICS, *JOURNAL)
