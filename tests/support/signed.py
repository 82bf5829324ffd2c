"""Signed inventories of a small site, keys to sign them with, and a list of who may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inventory.envelope import Envelope, body_of, rendered, signed_bytes
from inventory.model import Site
from inventory.sshsig import NAMESPACE, signature_of
from tests.support.hft_here import own_state
from tests.support.keys import make_key, public

NOW = datetime(2026, 12, 1, 2, 45, tzinfo=UTC)
KEYS = tuple(
    f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZ{end}" for end in "klm"
)


def host(number: int, **more: Any) -> dict[str, Any]:
    """An enrolled host of the site, as a table of its file."""
    identity = {
        "host_keys": [KEYS[number]],
        "machine_id": f"{number}" * 32,
        "macs": [f"52:54:00:00:00:0{number}"],
    }
    return {
        "name": f"e{number}",
        "address": f"192.0.2.{number + 1}",
        "role": "engine",
        "failure_domain": f"rack-{number}",
        "profile": "engine",
        "identity": identity,
    } | more


def site_table(**more: Any) -> dict[str, Any]:
    """The site `rack`: three hosts, one of them behind a jump host."""
    jump = {"name": "gate", "address": "192.0.2.200", "host_keys": [KEYS[0]]}
    hosts = [host(0), host(1, ssh_key="/keys/id"), host(2, role="ops", profile=None, user="ops", jump=jump)]
    return {"name": "rack", "hosts": hosts, "status_deadline_s": 2.5} | more


def envelope(generation: int = 1, *, now: datetime | None = None, **site: Any) -> Envelope:
    """The site in its envelope, made a minute ago (or at NOW), for a day."""
    made = (now or datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds")
    expires = (datetime.fromisoformat(made) + timedelta(days=1)).isoformat(timespec="seconds")
    table = site_table(**site)
    return Envelope(site=Site.model_validate(table), generation=generation, made_at=made, expires=expires)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """A controller's own: FOLDER with a key that may sign for `rack`, and a state directory."""

    folder: Path
    key: Path
    stranger: Path
    listed: Path

    @classmethod
    def in_folder(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Signers:
        """Keys in FOLDER, the list of signers and the state directory beside them, for this process."""
        own_state(folder, monkeypatch)
        made = cls(
            folder=folder,
            key=make_key(folder / "signer"),
            stranger=make_key(folder / "stranger"),
            listed=folder / "signers",
        )
        made.allow(made.key)
        monkeypatch.setenv("HFT_INVENTORY_SIGNERS", str(made.listed))
        return made

    def allow(self, key: Path, *, sites: str = "rack", namespace: str = NAMESPACE) -> None:
        """From now on KEY, and nobody else, may sign for these sites."""
        self.listed.write_text(f'{sites} namespaces="{namespace}" {public(key)}\n')
        self.listed.chmod(0o600)

    def signed(self, body: Mapping[str, object], *, key: Path | None = None, name: str = "site") -> Path:
        """A file with this content, whatever it is, and a good signature."""
        path = self.folder / f"{name}.signed.json"
        path.write_bytes(rendered(body, signature_of(signed_bytes(body), key or self.key)))
        return path

    def write(self, generation: int = 1, *, name: str = "site", **site: Any) -> Path:
        """A good file of that generation."""
        return self.signed(body_of(envelope(generation, **site)), name=name)


def edited(path: Path, change: Mapping[str, object]) -> None:
    """Change keys of the envelope without signing it again, in the form of the original."""
    document = json.loads(path.read_text()) | change
    path.write_text(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
