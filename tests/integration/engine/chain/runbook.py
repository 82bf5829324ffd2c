"""On-call beside a chain that trades: `hft failover` with a failover file, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine.ticket.release import read_release
from engine.ticket.signing import allowed_signer
from tests.support.checkout import ROOT
from tests.support.engine.failover_file import write_failover_file
from tests.support.keys import make_key

from .production import HOST, Production, file_digest


class OnCall:
    """A person with a failover file, an authority key and a state directory."""

    def __init__(self, chain: Production) -> None:
        self.chain = chain
        self.state = chain.directory / "state"
        self.file = chain.directory / "failover.toml"
        self.approvers = chain.directory / "approvers"
        self.keys: dict[str, Path] = {}
        self.write()

    def write(self, **gateways: Path) -> None:
        """The failover file of the chain; GATEWAYS are more of them, by their admin sockets."""
        chain = self.chain
        chain.host_owner_sets_up()
        engines = {
            f"{HOST}/{slot}": {
                "admin_socket": f"{seat.directory}/admin",
                "approved": [
                    {
                        "artifact": read_release(chain.release_of(slot)).digest,
                        "config": file_digest(seat.directory / "config.json"),
                        "limits": file_digest(seat.directory / "limits"),
                    }
                ],
            }
            for slot, seat in chain.seats.items()
        }
        named: dict[str, dict[str, Any]] = {"gw-1": {"admin_socket": chain.gateway.admin}}
        named |= {name: {"admin_socket": path} for name, path in gateways.items()}
        if gateways:
            named = {
                name: {**one, "epochs": word}
                for (name, one), word in zip(named.items(), ("odd", "even"), strict=True)
            }
        write_failover_file(
            self.file, site="chain", key=chain.keys.authority, gateways=named, engines=engines
        )
        text = self.file.read_text()
        self.file.write_text(f"approvers = {json.dumps(str(self.approvers))}\n{text}")

    def hft(self, *words: object) -> subprocess.CompletedProcess[str]:
        """`hft failover WORDS...`; however it ends."""
        argv = [sys.executable, "-m", "hft", "failover", *map(str, words)]
        env = {**os.environ, "HFT_STATE": str(self.state), "HFT_FAILOVER": str(self.file), "COLUMNS": "400"}
        return subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    def told(self, code: int, *words: object) -> dict[str, Any]:
        """The JSON document of a command that must end with CODE."""
        done = self.hft(*words, "--json")
        assert done.returncode == code, f"{words} exited {done.returncode}: {done.stdout}{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def plan(self, kind: str, slot: str) -> str:
        """The name of a plan whose preconditions are met."""
        return str(self.told(3, "plan", kind, "--to", f"{HOST}/{slot}")["plan"])

    def moves(self, kind: str, slot: str, code: int = 0) -> dict[str, Any]:
        """Planned and carried out."""
        plan = self.plan(kind, slot)
        return self.told(code, kind, "--to", f"{HOST}/{slot}", "--plan", plan, "--reason", "drill")

    def person(self, name: str, key_name: str) -> None:
        """One more key of somebody who may approve."""
        key = self.keys[key_name] = make_key(self.chain.directory / key_name)
        line = allowed_signer(name, key.with_suffix(".pub"), "hft-approval")
        before = self.approvers.read_text() if self.approvers.exists() else ""
        self.approvers.write_text(before + line)

    def approval(self, plan: str, name: str, key_name: str) -> Path:
        """What `approve` prints, kept."""
        done = self.hft("approve", plan, "--as", name, "--key", self.keys[key_name])
        assert done.returncode == 0, done.stderr
        path = self.chain.directory / f"{name}-{key_name}.json"
        path.write_text(done.stdout)
        return path

    def resume(self, plan: str, *approvals: Path) -> subprocess.CompletedProcess[str]:
        """Clear the latches."""
        words = [word for path in approvals for word in ("--approval", path)]
        return self.hft("resume", "--plan", plan, *words, "--reason", "cause found")
