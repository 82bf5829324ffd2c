"""Throwaway keys of one suite run: one that limits files are signed with, and one that is not allowed."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from engine.contract.limits import SIGNATURE_IDENTITY, SIGNATURE_NAMESPACE


class Signer:
    """Two ed25519 keys, only the first of them allowed; signatures over equal bytes are cached."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[tuple[bytes, str], bytes] = {}
        self._lock = threading.Lock()
        for name in ("good", "stranger"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(directory / name)]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        public = (directory / "good.pub").read_text()
        self.allowed_signers = directory / "allowed_signers"
        self.allowed_signers.write_text(f'{SIGNATURE_IDENTITY} namespaces="{SIGNATURE_NAMESPACE}" {public}')

    def sign(self, data: bytes, *, key: str = "good") -> bytes:
        """The armored signature of DATA."""
        with self._lock:
            if (data, key) not in self._known:
                argv = [
                    "ssh-keygen",
                    "-q",
                    "-Y",
                    "sign",
                    "-n",
                    SIGNATURE_NAMESPACE,
                    "-f",
                    str(self._directory / key),
                ]
                done = subprocess.run(argv, input=data, capture_output=True, check=True)
                self._known[data, key] = done.stdout
            return self._known[data, key]
