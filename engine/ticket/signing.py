"""Signatures over bytes, by `ssh-keygen -Y` (ssh-keygen(1), SSHSIG): a key signs, allowed_signers verifies.

A namespace keeps a signature made for one purpose from being used for another.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from engine.ticket.errors import TicketError

TICKET_NAMESPACE = "hft-ticket"
FENCE_NAMESPACE = "hft-fence"
SUCCESSION_NAMESPACE = "hft-succession"
LIMITS_NAMESPACE = "hft-limits"
EPOCH_IDENTITY = "epoch"
LIMITS_IDENTITY = "limits"
_PATIENCE_S = 60


def sign(payload: bytes, key: Path, namespace: str) -> str:
    """The armored signature of PAYLOAD; TicketError `key` when the key cannot be used."""
    argv = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", namespace]
    try:
        done = subprocess.run(argv, input=payload, capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise TicketError("key", f"cannot sign with {key}: no answer within {_PATIENCE_S} s") from None
    if done.returncode != 0:
        raise TicketError("key", f"cannot sign with {key}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode("ascii")


def is_signed(payload: bytes, signature: str, *, signers: Path, identity: str, namespace: str) -> bool:
    """Whether IDENTITY, by a key that SIGNERS allows for NAMESPACE, signed exactly these bytes."""
    held = os.memfd_create("signature")  # verifying needs a file name; this one is in memory
    try:
        os.write(held, signature.encode("utf-8", "replace"))
        argv = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", identity, "-n", namespace]
        done = subprocess.run(
            [*argv, "-s", f"/proc/self/fd/{held}"],
            input=payload,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            pass_fds=(held,),
        )
    except subprocess.TimeoutExpired:  # a list of signers that never ends allows nobody
        return False
    finally:
        os.close(held)
    return done.returncode == 0


def allowed_signer(identity: str, public_key: Path, namespace: str) -> str:
    """One line of an allowed_signers file: IDENTITY may sign for NAMESPACE only."""
    kind, key = public_key.read_text(encoding="ascii").split()[:2]
    return f'{identity} namespaces="{namespace}" {kind} {key}\n'
