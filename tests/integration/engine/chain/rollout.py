"""A chain with two releases, a spare, and a release file: what a rollout needs; only the windows are made up.

The candidate is the same program in a release of its own (another build in its manifest, so another digest).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine.conformance.process import Engine
from engine.contract.canonical import canonical
from engine.ticket import signing
from engine.ticket.release import read_release
from hft.releases.certificates import IDENTITY, NAMESPACE, file_digest
from hft.releases.evidence import NAMESPACE as APPROVAL
from release.certificate import Certificate, version_from
from release.slot_approval import SlotApproval
from tests.support.checkout import ROOT
from tests.support.keys import make_key
from tests.support.latency_runs import calibration, interleaved

from .production import HOST, Production
from .runbook import OnCall

SITE = "chain"
FILE = """
site = "chain"
exchanges = []

[[rules]]
name = "long ago"
kind = "deny"
zone = "UTC"
from = "2020-01-01 00:00"
until = "2020-01-02 00:00"

[rollout]
failover = "failover.toml"
candidate = "release-n"
baseline = "release"
certificate = "n.json"
signers = "release.signers"
sbom = "n.cdx.json"
host_class = "bare-metal"
floor = "0.0.1"
slot = "eng-1/b"
back = "eng-1/a"
spares = ["eng-1/c"]
zone = "UTC"
approvals = [{approvals}]

[rollout.journals]
golden = "golden"
leader = "copied/a"
candidate = "copied/b"

[rollout.canary]
runs = "canary.jsonl"
calibration = "spread.json"
"""
SMALL_E4 = 10 * 1_010_000 * 2  # of an order: two clips of the strategy


class TwoReleases(Production):
    """Slot b, and the spare later, run the candidate; the others the release from before."""

    def __init__(self, native: Path, stack: ExitStack) -> None:
        self.has_candidate = {"b"}
        super().__init__(native, stack, slots="abc")
        self.candidate = self.directory / "release-n"
        shutil.copytree(self.release, self.candidate)
        manifest = json.loads((self.release / "engine.json").read_bytes())
        manifest["identity"]["build"] = "n"
        (self.candidate / "engine.json").write_bytes(canonical(manifest))
        self.version = manifest["identity"]["version"]

    def _gateway_config(self, changes: dict[str, Any]) -> Path:
        path = super()._gateway_config(changes)
        config = json.loads(path.read_text())
        config["accounts"][0]["slots"] = ["a", "b", "c"]
        path.write_text(json.dumps(config))
        return path

    def release_of(self, slot: str) -> Path:
        return self.candidate if slot in self.has_candidate else self.release

    def role(self, role: str, serial: int) -> Engine:
        """Slot b, started again as what a stage wants."""
        seat = self.seats["b"]
        if seat.engine is not None:
            seat.engine.close()
        seat.config["egress"] = "shadow" if role == "shadow" else "live"
        narrow = {"order_notional_max_e4": SMALL_E4} if role == "canary" else {}
        seat.limits(serial=serial, **narrow)
        return self.standby("b")

    def digests(self, slot: str) -> tuple[str, str, str]:
        """What a slot runs, as a ticket names it."""
        runs = self.runs(slot)
        return runs.artifact, runs.config, runs.limits

    def copy_journals(self) -> None:
        """As they are now, where nobody writes into them."""
        for slot in "ab":
            target = self.directory / "copied" / slot
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(self.seats[slot].directory / "journal", target)


class Operator(OnCall):
    """Somebody who rolls out: release file, certificate, approvals of two persons."""

    def __init__(self, chain: TwoReleases) -> None:
        super().__init__(chain)
        self.two = chain
        self.folder = chain.directory
        self.approvals: list[str] = []
        for name in ("alice", "bob"):
            self.keys[name] = make_key(self.folder / name)
        lines = [
            signing.allowed_signer(name, self.keys[name].with_suffix(".pub"), APPROVAL)
            for name in ("alice", "bob")
        ]
        self.approvers.write_text("".join(lines))
        self._certify()
        argv = [str(chain.native / "bin" / "hft-journal"), "generate", str(self.folder / "golden")]
        subprocess.run([*argv, "--messages", "20000"], check=True, capture_output=True)
        self._windows()
        self.write_file()

    def _certify(self) -> None:
        sbom, key = self.folder / "n.cdx.json", make_key(self.folder / "release-key")
        sbom.write_text("{}")
        version = version_from(self.two.version)
        made = Certificate(
            artifact=read_release(self.two.candidate).digest, name="hft-engine", version=version,
            floor=version, host_classes=("bare-metal",), not_after_s=int(time.time()) + 3600,
            sbom=file_digest(sbom),
        )  # fmt: skip
        signature = signing.sign(canonical(made.body()), key, NAMESPACE)
        document = {"certificate": made.body(), "signature": signature}
        (self.folder / "n.json").write_text(json.dumps(document))
        line = signing.allowed_signer(IDENTITY, key.with_suffix(".pub"), NAMESPACE)
        (self.folder / "release.signers").write_text(line)

    def _windows(self) -> None:
        releases = {"baseline": self.two.release, "candidate": self.two.candidate}
        digests = {arm: read_release(path).digest for arm, path in releases.items()}
        made = [replace(one, release=digests[one.arm]) for one in interleaved(15)]
        lines = [json.dumps({"schema": 1, **asdict(one)}) for one in made]
        (self.folder / "canary.jsonl").write_text("\n".join(lines))
        spread = asdict(calibration(0.004, digests["baseline"]))
        (self.folder / "spread.json").write_text(json.dumps({"schema": 1, **spread}))

    def write_file(self) -> None:
        """The release file, with the approvals that there are."""
        named = ", ".join(json.dumps(one) for one in self.approvals)
        (self.folder / "release.toml").write_text(FILE.format(approvals=named))

    def approve(self, slot: str, role: Any, *persons: str) -> None:
        """What the slot runs now, signed by each."""
        for person in persons:
            one = SlotApproval(
                site=SITE, slot=f"{HOST}/{slot}", role=role, runs=self.two.digests(slot), person=person,
                not_after_s=int(time.time()) + 3600,
            )  # fmt: skip
            signature = signing.sign(canonical(one.body()), self.keys[person], APPROVAL)
            name = f"{person}-{slot}-{role}.json"
            (self.folder / name).write_text(json.dumps({"approval": one.body(), "signature": signature}))
            self.approvals.append(name)
        self.write_file()

    def start(self, *words: object) -> subprocess.Popen[str]:
        """`hft release WORDS...`, running."""
        argv = [sys.executable, "-m", "hft", "release", *map(str, words)]
        env = {**os.environ, "HFT_STATE": str(self.state), "HFT_RELEASE": str(self.folder / "release.toml")}
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True)

    def release(self, code: int, *words: object) -> dict[str, Any]:
        """The JSON document of a command that must end with CODE."""
        with self.start(*words, "--json") as child:
            out, err = child.communicate(timeout=120)
        assert child.returncode == code, f"{words} exited {child.returncode}: {out}{err}"
        found: dict[str, Any] = json.loads(out)
        return found

    def unmet(self) -> set[str]:
        """The preconditions of the next step that are not met."""
        found = self.release(2, "plan")
        return {one["code"] for one in found["preconditions"] if not one["is_met"]}

    def step(self) -> dict[str, Any]:
        """The next one, planned and made."""
        return self.release(0, "next", "--plan", self.release(3, "plan")["plan"], "--reason", "drill")


def in_order(accepted: list[dict[str, Any]]) -> bool:
    """Whether the venue accepted no epoch below an earlier one, and no ClOrdID twice."""
    orders = [line for line in accepted if line["type"] == "O"]
    epochs, names = [line["epoch"] for line in orders], {line["clordid"] for line in orders}
    return epochs == sorted(epochs) and len(names) == len(orders) > 0
