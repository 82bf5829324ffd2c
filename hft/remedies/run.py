"""One pass over what fires: each case is decided on alone, done under the site's lock, verified, recorded.

What acts is one restart of a named unit, or a kill of the engines of one host at every gateway. This module
knows no way to release a latch, to promote or to boot.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_never

from hft.errors import Exit, HftError
from hft.json_over_http import request
from hft.locks import holder_of, site_lock
from hft.remedies.evidence import BEGUN, DEADLINE_S, VERB, attempts_of, evidence, firing, probed
from hft.run_log import Run, read, recorded
from inventory.model import Host, Site
from monitoring.remedy import (
    Attempt,
    Case,
    Decision,
    Look,
    Moment,
    Outcome,
    Remedy,
    Verdict,
    decide,
    firing_of,
    remedy_of,
)
from transport.errors import HostError
from transport.ssh import Ssh

PAGED_S = 600  # how long a page of ours stands without being posted again
STUCK = "RemedyStuck"
VERIFY_EVERY_S = 1.0
KILL_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Where to read, whether to act, what the failover file is, and whether rollouts are frozen now."""

    site: Site
    alertmanagers: tuple[str, ...]
    prometheus: str
    acts: bool
    is_frozen: bool
    cluster: Path | None = None
    inventory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of one case; no outcome where nothing was tried."""

    case: Case
    decision: Decision
    outcome: Outcome | None = None

    @property
    def needs_somebody(self) -> bool:
        """Whether a person is paged."""
        return self.decision.verdict is Verdict.PAGE or self.outcome is Outcome.DID_NOT_HELP


def one_pass(wanted: Wanted) -> tuple[Done, ...]:
    """Every case that has a remedy, in the order in which they fire.

    Raises: HftError (unreachable) where no Alertmanager answers; (bad input) for a record that is of no use.
    """
    cases = firing(wanted.alertmanagers)
    hosts = {one.name: one for one in wanted.site.hosts}
    done = []
    for case in sorted(cases, key=lambda one: one.starts_at):
        remedy, host = remedy_of(case.alert), hosts.get(case.host)
        if remedy is not None and host is not None:
            done.append(_one(wanted, case, remedy, host, cases))
    return tuple(done)


def exit_code(done: tuple[Done, ...]) -> Exit:
    """Violated where somebody is needed, pending where something would be done, else well."""
    if any(one.needs_somebody for one in done):
        return Exit.VIOLATED
    would = any(one.decision.verdict is Verdict.WOULD_ACT for one in done)
    return Exit.PENDING if would else Exit.OK


def _one(wanted: Wanted, case: Case, remedy: Remedy, host: Host, cases: tuple[Case, ...]) -> Done:
    history = read(wanted.site.name)
    attempts = attempts_of(history.lines)
    holder = holder_of(wanted.site.name)
    look = Look(
        case=case,
        remedy=remedy,
        evidence=evidence(host, remedy, wanted.prometheus),
        moment=Moment(
            now_s=time.time(),
            is_frozen=wanted.is_frozen,
            busy_with=holder.sentence() if holder else "",
            hosts=len(wanted.site.hosts),
            hosts_firing=firing_of(cases, case.alert),
            acts=wanted.acts,
        ),
        attempts=attempts,
    )
    decision = decide(look)
    verdict = decision.verdict
    match verdict:
        case Verdict.ACT:
            done = _acted(wanted, look, host, decision)
        case Verdict.WOULD_ACT:
            done = Done(case=case, decision=decision, outcome=Outcome.OBSERVED)
            _note(wanted, look, done, attempts)
        case Verdict.HOLD | Verdict.PAGE:
            done = Done(case=case, decision=decision)
        case _:
            assert_never(verdict)
    if done.needs_somebody:
        _page(wanted, done)
    return done


def _note(wanted: Wanted, look: Look, done: Done, attempts: tuple[Attempt, ...]) -> None:
    """What would have been done, once for each case."""
    if any(one.case == look.case.id for one in attempts):
        return
    with _record(wanted, look) as run:
        run.ended(look.case.host, **_facts(look, done.decision, Outcome.OBSERVED))


def _acted(wanted: Wanted, look: Look, host: Host, decision: Decision) -> Done:
    """The remedy under the lock; a kill waits for nobody."""
    if look.remedy.is_kill:
        return _tried(wanted, look, host, decision)
    with site_lock(wanted.site.name, f"{VERB}: {decision.reason}"):
        return _tried(wanted, look, host, decision)


def _tried(wanted: Wanted, look: Look, host: Host, decision: Decision) -> Done:
    with _record(wanted, look) as run:
        facts = _facts(look, decision, None)
        run.write({"event": BEGUN, "run": run.run, "verb": VERB, "host": host.name, "facts": facts})
        helped = _kill(wanted, look) if look.remedy.is_kill else _restart(look.remedy, host)
        outcome = Outcome.HELPED if helped else Outcome.DID_NOT_HELP
        run.ended(host.name, **_facts(look, decision, outcome))
        run.exit_code = Exit.OK if helped else Exit.VIOLATED
    return Done(case=look.case, decision=decision, outcome=outcome)


def _record(wanted: Wanted, look: Look) -> AbstractContextManager[Run]:
    return recorded(wanted.site.name, VERB, hosts=[look.case.host], reason=look.case.alert)


def _facts(look: Look, decision: Decision, outcome: Outcome | None) -> dict[str, object]:
    return {
        "alert": look.case.alert,
        "case": look.case.id,
        "action": look.remedy.action.value,
        "unit": look.remedy.unit,
        "on_host": look.evidence.on_host,
        "elsewhere": look.evidence.elsewhere,
        "reason": decision.reason,
        **({"outcome": outcome.value, "result": outcome.value} if outcome else {}),
    }


def _restart(remedy: Remedy, host: Host) -> bool:
    """Restart the unit; whether the host then says that the cause is gone."""
    try:
        ssh = Ssh.of(host)
        done = ssh.run(
            ssh.as_root(["systemctl", "restart", remedy.unit]), timeout_s=DEADLINE_S, login_s=DEADLINE_S
        )
    except HostError:
        return False
    if done.returncode != 0:
        return False
    end = time.monotonic() + remedy.verify_s
    while True:
        is_there, _ = probed(host, remedy)
        if is_there is False:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(VERIFY_EVERY_S)


def _kill(wanted: Wanted, look: Look) -> bool:
    """Engage the latch of every engine on the host at every gateway; whether all of them latched durably."""
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.kill import kill

    cluster = load_cluster(wanted.cluster, wanted.inventory, is_emergency=True)
    mine = [one for one in cluster.engines if one.name.partition("/")[0] == look.case.host]
    blocks = []
    for engine in mine:
        scope = {"scope": "engine", "id": engine.name}
        only = dataclasses.replace(cluster, engines=(engine,))
        reason = f"{look.case.alert}: {look.remedy.probe}"
        blocks.append(kill(only, scope, reason, deadline_s=KILL_S, wait_s=0).blocks)
    return bool(blocks) and all(blocks)


def _page(wanted: Wanted, done: Done) -> None:
    """An alert of our own at every member: whoever is on call hears why nothing was mended."""
    now = datetime.now(UTC)
    said = done.decision.reason
    if done.outcome is Outcome.DID_NOT_HELP:
        said = f"{said}: done, and it did not help"
    alert = {
        "labels": {
            "alertname": STUCK,
            "severity": "page",
            "host": done.case.host,
            "alert": done.case.alert,
        },
        "annotations": {"summary": f"{done.case.host}: {done.case.alert} was not mended: {said}"},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=PAGED_S)).isoformat(),
    }
    failed: list[HftError] = []
    for url in wanted.alertmanagers:
        try:
            request(f"{url}/api/v2/alerts", method="POST", document=[alert])
        except HftError as error:
            failed.append(error)
    if len(failed) == len(wanted.alertmanagers):
        raise failed[0]
