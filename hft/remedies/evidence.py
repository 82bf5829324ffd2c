"""What is read before a remedy acts: the alerts, the cause on the host, a second signal, the record."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

from hft.errors import HftError
from hft.json_over_http import request
from inventory.model import Host
from monitoring.remedy import Action, Attempt, Case, Evidence, Outcome, Probe, Remedy
from transport.answer import Completed
from transport.errors import HostError
from transport.ssh import Ssh

VERB = "monitoring remedy"
BEGUN, ENDED = "begun", "host"
DEADLINE_S = 15.0  # of an answer, and of the way in before it
OLD_S = 5  # the threshold of CollectorStale; a test holds them equal
STATES_UP = frozenset({"active", "activating", "reloading"})  # systemd(1): ActiveState
STATES_DOWN = frozenset({"inactive", "failed", "deactivating"})
LOAD_STATES_OUT = frozenset({"masked", "not-found"})
_TEXTFILE = """\
file=/run/hft-metrics/hft_collector.prom
[ -e "$file" ] || { echo absent; exit 0; }
echo $(($(date +%s) - $(stat -c %Y "$file")))
"""
_MEMORY = "cat /sys/devices/system/edac/mc/mc*/ue_count 2>/dev/null; echo end"


def firing(urls: Iterable[str]) -> tuple[Case, ...]:
    """What fires and is neither silent nor muted, of the first member that answers.

    Raises: HftError (unreachable) where none does.
    """
    failed: HftError | None = None
    for url in urls:
        try:
            found = request(f"{url}/api/v2/alerts?active=true&silenced=false&inhibited=false")
            return cases_of(found)
        except HftError as error:
            failed = error
    assert failed is not None
    raise failed


def cases_of(document: object) -> tuple[Case, ...]:
    """The alerts of an answer that name a host; what is no alert is left out."""
    rows = document if isinstance(document, list) else []
    found = []
    for row in rows:
        match row:
            case {
                "labels": {"alertname": str(alert), "host": str(host)},
                "fingerprint": str(fingerprint),
                "startsAt": str(starts_at),
            }:
                found.append(Case(alert=alert, host=host, fingerprint=fingerprint, starts_at=starts_at))
            case _:
                pass
    return tuple(found)


def evidence(host: Host, remedy: Remedy, prometheus: str) -> Evidence:
    """Whether the host itself and somebody else say that the cause is there; what cannot be asked is None."""
    here, why = probed(host, remedy)
    elsewhere, why_not = confirmed(host.name, remedy, prometheus)
    return Evidence(on_host=here, elsewhere=elsewhere, said=why or why_not)


def probed(host: Host, remedy: Remedy) -> tuple[bool | None, str]:
    """What the host says, read now over SSH, and why it could not be asked."""
    probe = remedy.probe
    try:
        ssh = Ssh.of(host)
        match probe:
            case Probe.UNIT_IS_DOWN:
                words = ["systemctl", "show", "--property=LoadState,ActiveState", remedy.unit]
                done = ssh.run(ssh.as_root(words), timeout_s=DEADLINE_S, login_s=DEADLINE_S)
            case Probe.TEXTFILE_IS_OLD:
                done = ssh.run_script(_TEXTFILE, timeout_s=DEADLINE_S, login_s=DEADLINE_S)
            case Probe.MEMORY_WAS_LOST:
                done = ssh.run_script(_MEMORY, timeout_s=DEADLINE_S, login_s=DEADLINE_S)
            case _:
                assert_never(probe)
    except HostError as error:
        return None, str(error)
    return answer_of(probe, done), done.last_words if done.returncode else ""


def answer_of(probe: Probe, done: Completed) -> bool | None:
    """Yes, no, or None for an answer that is neither."""
    words = done.stdout.split()
    match probe:
        case Probe.UNIT_IS_DOWN:
            return _is_down(dict(word.split("=", 1) for word in words if "=" in word))
        case Probe.TEXTFILE_IS_OLD:
            if words == ["absent"]:
                return True
            return int(words[0]) > OLD_S if len(words) == 1 and words[0].isdigit() else None
        case Probe.MEMORY_WAS_LOST:
            counts = words[:-1]
            if words[-1:] != ["end"] or not counts or not all(one.isdigit() for one in counts):
                return None
            return sum(map(int, counts)) > 0


def _is_down(shown: Mapping[str, str]) -> bool | None:
    """Of a unit that may run here: one that is masked or absent (another daemon keeps the time) has no
    business running, so that it does not is no cause."""
    load, active = shown.get("LoadState"), shown.get("ActiveState")
    if load in LOAD_STATES_OUT:
        return False
    if load != "loaded" or active not in STATES_UP | STATES_DOWN:
        return None
    return active in STATES_DOWN


def confirmed(host: str, remedy: Remedy, prometheus: str) -> tuple[bool | None, str]:
    """Whether Prometheus has a series for the remedy's second signal, and why it could not be asked."""
    query = urllib.parse.urlencode({"query": remedy.confirmed_by.replace("$host", host)})
    try:
        answer = request(f"{prometheus}/api/v1/query?{query}")
    except HftError as error:
        return None, str(error)
    match answer:
        case {"status": "success", "data": {"resultType": "vector", "result": list(result)}}:
            return bool(result), ""
        case _:
            return None, f"{prometheus} answers, and not as Prometheus does"


def attempts_of(lines: Iterable[Mapping[str, Any]]) -> tuple[Attempt, ...]:
    """The attempts in a run record; one that was begun and never ended did not help."""
    begun: dict[str, Attempt] = {}
    found = []
    for line in lines:
        if line.get("verb") != VERB or line.get("event") not in (BEGUN, ENDED):
            continue
        attempt = _attempt(line)
        if attempt is None:
            continue
        if line["event"] == BEGUN:
            begun[str(line["run"])] = attempt
        else:
            begun.pop(str(line["run"]), None)
            found.append(attempt)
    return (*found, *begun.values())


def _attempt(line: Mapping[str, Any]) -> Attempt | None:
    match line:
        case {"at": str(at), "host": str(host), "facts": {"case": str(case), "action": str(action), **facts}}:
            try:
                return Attempt(
                    at_s=datetime.fromisoformat(at).timestamp(),
                    host=host,
                    case=case,
                    action=Action(action),
                    outcome=Outcome(str(facts.get("outcome", Outcome.DID_NOT_HELP.value))),
                )
            except ValueError:
                return None  # of a release that has another action; paged and held lines have no outcome
        case _:
            return None
