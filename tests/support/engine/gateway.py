"""A gateway program under test: its configuration, its life, its logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from engine.ticket.fence import call
from tests.support.engine.engine_peer import PASSWORD, USER


def write_config(root: Path, venue_port: int, **changes: Any) -> Path:
    """A configuration with one account, slots a and b, fast timers; CHANGES replace keys."""
    config: dict[str, Any] = {
        "name": "gw-1",
        "listen": {"host": "127.0.0.1", "port": 0},
        "admin_socket": str(root / "gw.sock"),
        "state_directory": str(root / "state"),
        "log_directory": str(root / "log"),
        "profile": "ouch5-2023-05",
        "on_fence": "cancel",
        "reconnect_ms": 10,
        "order_age_max_ms": 30_000,  # tests run beside others, and a late loop of the gateway is a stall
        "accounts": [
            {
                "name": "ACC1",
                "strategy": "imbalance",
                "slots": ["a", "b"],
                "user": USER,
                "password": PASSWORD,
                "venue": {"host": "127.0.0.1", "port": venue_port},
                "venue_user": "gw1",
                "venue_password": "venuepw",
            }
        ],
    }
    config.update(changes)
    path = root / f"{config['name']}.json"
    path.write_text(json.dumps(config))
    return path


class Gateway:
    """One program over several lives; `kill` is SIGKILL."""

    def __init__(self, program: Path, config: Path, *options: str, wrap: tuple[str, ...] = ()) -> None:
        self.argv = [*wrap, str(program), "--config", str(config), *options]
        self.config = json.loads(config.read_text())
        self.admin = Path(self.config["admin_socket"])
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> Gateway:
        """Start and wait until it says that it is ready."""
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            process, self.process = self.process, None
            _, errors = process.communicate(timeout=30)
            raise RuntimeError(f"exit {process.returncode}: {errors}")
        self.port = int(json.loads(line)["port"])
        return self

    def kill(self) -> None:
        """SIGKILL, at once."""
        self.stop(signal.SIGKILL)

    def nudge(self, number: signal.Signals) -> None:
        """Send a signal that it survives."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and take the exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        os.kill(process.pid, number)
        process.communicate(timeout=60)
        return process.returncode

    def verb(self, name: str, **fields: Any) -> dict[str, Any]:
        """One admin verb."""
        return call(self.admin, name, **fields)

    def unlatch(self, *numbers: int, operator: str = "alice", reason: str = "checked") -> dict[str, Any]:
        """Clear these latches; all that `status` shows when none is named."""
        set_now = [entry["number"] for entry in self.verb("status")["latch"]["entries"]]
        return self.verb("unlatch", entries=list(numbers) or set_now, operator=operator, reason=reason)

    def fence(self, epoch: int, **fields: Any) -> dict[str, Any]:
        """An unsigned fence, which only a test gateway takes."""
        return self.verb("fence", epoch=epoch, holder="", approved=[], **fields)

    def wait_ready(self) -> dict[str, Any]:
        """Until the venue session is up; the status then."""
        end = time.monotonic() + 30
        while True:
            status = self.verb("status")
            if all(account["phase"] == "ready" for account in status["accounts"].values()):
                return status
            if time.monotonic() >= end:
                raise TimeoutError(f"the venue session does not come up: {status}")
            time.sleep(0.01)

    def lines(self, log: str) -> list[dict[str, Any]]:
        """`messages` or `refusals`; a torn line (a crash, a full disk) is left out."""
        found = []
        path = Path(self.config["log_directory"]) / f"{log}.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found
