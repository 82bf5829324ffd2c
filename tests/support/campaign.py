"""The campaigns of hostile input: fields, answers, documents; by a seed, counted, in a process of their own.

    python -m tests.support.campaign [SHARE] [SEED]

prints one JSON object: per campaign how many inputs were tried and taken, and what must be 0: commands
executed, files made outside, exceptions that are none of a room's, other hosts whose end was lost; and the
peak of memory.
"""

from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploys.rollout.outcome import HostOutcome
from deploys.rollout.rollout import each
from deploys.slot.limits import parse_limits
from deploys.slot.placement import place
from deploys.slot.unit import engine_unit
from deploys.tune.render import render
from engine.conformance.artifact import read as read_artifact
from hft import run_log
from hft.errors import exit_code_of
from hft.run_lines import canonical, hash_of
from inventory.load import load_site
from inventory.model import Host
from tests.support.engine.deploy import LIMITS, host_of, manifest_of, plan_of
from tests.support.hostile import MARKER, PAYLOADS, leaves, replaced, wrong_documents
from tests.support.hostile_answers import ANSWERS
from transport.ssh import Ssh
from tuning.plan.plan import Plan
from tuning.snapshot.files import Snapshot

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
HOP = {"name": "hop", "address": "192.0.2.9", "user": "ops", "ssh_key": "/k", "host_keys": [KEY]}
SITE: dict[str, Any] = {
    "name": "rack",
    "limits_signers_sha256": "0" * 64,
    "profiles": {"fast": {"engine_threads_most": 2}},
    "hosts": [
        {
            **{
                "name": "e1",
                "address": "192.0.2.1",
                "role": "engine",
                "failure_domain": "a",
                "profile": "fast",
            },
            **{"user": "ops", "ssh_key": "/k", "host_class": "lab-vm", "power": "none", "jump": HOP},
            "identity": {
                **{"host_keys": [KEY], "machine_id": "1" * 32, "macs": ["52:54:00:00:00:01"]},
                **{"dmi_serial": "s", "dmi_uuid": "u"},
            },
        }
    ],
}
BATCH = 50


class Tally(Counter[str]):
    """What happened; `stranger` keeps the first few exceptions that are none of ours."""

    stranger: list[str] = []

    def tried(self, read: Callable[[Any], object], given: Any, *also: type[Exception]) -> None:
        """Count one input: taken, refused in words of a room (ALSO: a room makes words of it), or neither."""
        self["tried"] += 1
        try:
            read(given)
            self["taken"] += 1
        except Exception as error:
            if exit_code_of(error) is not None or isinstance(error, also):
                self["refused"] += 1
                return
            self["unhandled"] += 1
            if len(self.stranger) < 5:
                self.stranger.append(f"{type(error).__name__}: {str(error)[:200]}")


def planted(folder: Path) -> Iterator[str]:
    """Every payload alone, behind and before something good."""
    for text in PAYLOADS:
        payload = text.format(mark=folder / MARKER)
        yield from (payload, f"e1{payload}", f"{payload}e1")


def texts_of(document: Any) -> list[tuple[Any, ...]]:
    """The places of all texts in a document."""
    found = []
    for at in leaves(document):
        inside = document
        for step in at:
            inside = inside[step]
        if isinstance(inside, str):
            found.append(at)
    return found


def inventory(folder: Path, document: Any) -> Host:
    """A site as its file is read."""
    path = folder / "in" / "site.json"
    path.write_text(json.dumps(document))
    return load_site(path).hosts[0]


def unit_of(document: Any) -> None:
    """A manifest, and the unit that is made of it: as many lines as of the good one, the same keys."""
    manifest = type(manifest_of()).model_validate_json(json.dumps(document))
    text = _unit(manifest)
    assert [line.partition("=")[0] for line in text.splitlines()] == UNIT_KEYS, text


def _unit(manifest: Any) -> str:
    placed = place(manifest, PLAN, taken={})
    return engine_unit(
        manifest, "sha256:" + "1" * 64, placed, slot="a", host_class="lab-vm", plan_hash="0" * 64
    )


PLAN = plan_of()
UNIT_KEYS = [line.partition("=")[0] for line in _unit(manifest_of()).splitlines()]
FILE_LINES = {
    file.path: sum(not line.startswith("#") for line in file.content.splitlines())
    for file in render(PLAN, standins=True)
}


def files_of(document: Any) -> None:
    """A plan with a right hash, and its files: no line more than of the good one that is no comment."""
    from tuning.plan import plan as plans

    made = Plan.from_json(plans._from_document(document).to_json())
    for file in render(made, standins=True):
        lines = sum(not line.startswith("#") for line in file.content.splitlines())
        assert lines <= max(FILE_LINES.values()), file.content


def fields(folder: Path, share: float, seed: int) -> Tally:
    """Payloads in every text that a person controls; what is taken goes on to ssh's and the shell's words."""
    tally, accepted = Tally(), list[str]()
    payloads = list(planted(folder))
    plan = json.loads(PLAN.to_json())
    plan["settings"] = list({one["kind"]: one for one in plan["settings"]}.values())
    plan |= {"cpus": plan["cpus"][:1], "refused": plan["refused"][:1]}
    sources: tuple[tuple[Any, Callable[[Any], object]], ...] = (
        (SITE, lambda document: accepted_by_ssh(inventory(folder, document), accepted)),
        (manifest_of().model_dump(mode="json"), unit_of),
        (plan, files_of),
    )
    for document, read in sources:
        tries = [(at, payload) for at in texts_of(document) for payload in payloads]
        for at, payload in random.Random(seed).sample(tries, max(1, int(len(tries) * share))):
            tally.tried(read, replaced(document, at, payload), *(() if document is SITE else (ValueError,)))
    shell = [one for one in payloads if "\0" not in one and "\ud800" not in one and len(one) < 2000]
    for first in range(0, len(shell), BATCH):
        words = shell[first : first + BATCH]
        remote = shlex.join(["printf", "%s\\0", *words])  # the remote command line of every call
        done = subprocess.run(["sh", "-c", remote], capture_output=True, check=False, cwd=folder / "in")
        tally["changed"] += done.stdout.decode().split("\0")[:-1] != words
    for line in accepted[:: max(1, len(accepted) // 40)]:
        done = subprocess.run(["sh", "-c", line], capture_output=True, check=False, cwd=folder / "in")
    tally["ssh"] = len(accepted)
    return tally


def accepted_by_ssh(host: Host, accepted: list[str]) -> None:
    """An inventory that was taken: ssh reads its options and says so, without connecting (`ssh -G`)."""
    argv = Ssh.of(host).argv(["true"])
    accepted.append(shlex.join([argv[0], "-G", *argv[1:]]))


def answers(share: float, seed: int) -> Tally:
    """Forged answers of one host of three; the other two must end as they did."""
    tally = Tally()
    hosts = [host_of(name=name) for name in ("e1", "e2", "e3")]
    for name, (whole, read) in ANSWERS.items():
        document = whole()
        every = [*wrong_documents(document, seed), *mutated(document, seed, 900)]
        for forged in random.Random(seed).sample(every, max(1, int(len(every) * share))):
            tally.tried(read, forged)
            ends = beside(hosts, read, forged)
            tally["other hosts"] += ends != ["applied", "applied"]
        tally[f"answers: {name}"] = len(every)
    return tally


class _Changing:
    """One host's share of a run."""

    def __init__(self, host: Host) -> None:
        self.host = host


def beside(hosts: Sequence[Host], read: Callable[[Any], object], forged: Any) -> list[str]:
    """How the first and the last host end when the one between them answers FORGED."""

    def act(changing: _Changing, before: HostOutcome) -> HostOutcome:
        if changing.host.name == "e2":
            read(forged)
        return HostOutcome(host=changing.host.name, result="applied", seen="")

    so_far = {host.name: HostOutcome(host=host.name, result="no_change", seen="") for host in hosts}
    ended: dict[str, str] = {}

    def take(outcome: HostOutcome) -> None:
        ended[outcome.host] = outcome.result

    each(act)([_Changing(host) for host in hosts], so_far, take)
    return [ended[name] for name in ("e1", "e3") if name in ended]


def mutated(document: Any, seed: int, count: int) -> Iterator[Any]:
    """Copies in which several leaves at once are somebody's payload."""
    chance = random.Random(seed)
    places = list(leaves(document))
    for _ in range(count):
        made = document
        for at in chance.sample(places, min(len(places), chance.randint(2, 4))):
            try:
                made = replaced(made, at, chance.choice(PAYLOADS))
            except (KeyError, IndexError, TypeError):
                continue  # inside of what is a text by now
        yield made


def documents(folder: Path, share: float, seed: int) -> Tally:
    """Documents that a person or a colleague wrote, each leaf wrong in every way."""
    tally = Tally()
    opened = {
        "event": "opened",
        "run": "r",
        "verb": "apply",
        "by": "a@b",
        "pid": 1,
        "hosts": ["e1"],
        "reason": "",
    }
    head = {"schema": 1, "at": "2026-11-21T10:15:00+00:00", "prev": run_log.GENESIS}
    snapshot = json.loads(Snapshot({"/proc/cmdline": "ro", "/sys/x": None}, {"/l": "t"}).to_json())
    sources: tuple[tuple[Any, Callable[[Any], object]], ...] = (
        (SITE, lambda document: inventory(folder, document)),
        (manifest_of().model_dump(mode="json"), lambda document: artifact(folder, document)),
        (json.loads(PLAN.to_json()), lambda document: Plan.from_json(json.dumps(document))),
        (snapshot, lambda document: Snapshot.from_json(json.dumps(document))),
        (LIMITS, lambda document: parse_limits(json.dumps(document), "limits")),
        ({**head, **opened}, recorded),
    )
    for document, read in sources:
        every = list(wrong_documents(document, seed, 2500))
        for wrong in random.Random(seed).sample(every, max(1, int(len(every) * share))):
            tally.tried(read, wrong)
    for text in ("[" * 1_000_000, '{"a":' * 100_000, "9" * 1_000_000, '{"a":1,"a":2}', "\ufeff{}", "NaN"):
        for take in (Plan.from_json, Snapshot.from_json, lambda text: parse_limits(text, "limits")):
            tally.tried(take, text)
    return tally


def artifact(folder: Path, document: Any) -> None:
    """A manifest in a directory."""
    (folder / "in" / "engine.json").write_bytes(json.dumps(document).encode())
    read_artifact(folder / "in")


def recorded(document: Any) -> None:
    """A line of a right hash, read back."""
    line = {**document, "hash": hash_of(document)}
    run_log.read_bytes(canonical(line) + b"\n").dead_runs()


def peak_kib() -> int:
    """VmHWM of this program alone: getrusage(2) of a vforked child begins with its parent's peak."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found, "proc(5) has VmHWM for every process with memory"
    return int(found[1])


def run(share: float, seed: int) -> dict[str, Any]:
    """All three; SHARE of 1 is every input."""
    with tempfile.TemporaryDirectory(prefix="hft-campaign-") as made:
        folder = Path(made)
        (folder / "in").mkdir()
        found = {"fields": fields(folder, share, seed), "answers": answers(share, seed)}
        found["documents"] = documents(folder, share, seed)
        outside = [path.name for path in folder.iterdir() if path.name != "in"]
        inside = {path.name for path in (folder / "in").iterdir()} - {"site.json", "engine.json"}
    return {
        **{name: dict(tally) for name, tally in found.items()},
        "executed or written": len(outside) + len(inside),
        "strangers": Tally.stranger,
        "peak_mib": peak_kib() >> 10,
        "seed": seed,
    }


if __name__ == "__main__":
    chosen = [*sys.argv[1:], "1", "20261130"][:2] if len(sys.argv) != 2 else [sys.argv[1], "20261130"]
    sys.stdout.write(json.dumps(run(float(chosen[0]), int(chosen[1])), indent=1) + "\n")
