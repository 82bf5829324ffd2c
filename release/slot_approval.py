"""What one person signs: that one slot may run these digests in this role, until a date. Pure.

Bound to the digests of artifact, configuration and limits, to the slot and to its role, so that it says
nothing about another host, other limits, or another build. Whether it is signed is a value elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from release.rollout import ROLES, Role, Runs

SCHEMA = 1
_KEYS = (
    "schema", "site", "slot", "role", "artifact", "config", "limits", "person", "not_after_s",
)  # fmt: skip
_SLOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}/[a-z0-9]{1,16}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TEXT_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotApproval:
    """One person's word."""

    site: str
    slot: str  # HOST/SLOT
    role: Role
    runs: Runs
    person: str
    not_after_s: int  # UTC, seconds since 1970; the first second at which it counts no more

    def body(self) -> dict[str, Any]:
        """The document whose canonical bytes are signed."""
        artifact, config, limits = self.runs
        return {
            "schema": SCHEMA,
            "site": self.site,
            "slot": self.slot,
            "role": self.role,
            "artifact": artifact,
            "config": config,
            "limits": limits,
            "person": self.person,
            "not_after_s": self.not_after_s,
        }

    @property
    def what(self) -> str:
        """What two persons have to agree in, as one word."""
        return " ".join((self.site, self.slot, self.role, *self.runs))


def slot_approval_from(document: object) -> SlotApproval:
    """The approval in a document; ValueError names what is wrong with it."""
    if (
        not isinstance(document, dict)
        or set(document) != set(_KEYS)
        or repr(document["schema"]) != repr(SCHEMA)
    ):
        raise ValueError(f"an approval has exactly the keys {', '.join(_KEYS)}, with schema {SCHEMA}")
    for key in ("site", "person"):
        if not isinstance(document[key], str) or not 0 < len(document[key]) <= _TEXT_MAX:
            raise ValueError(f"{key}: expected 1 to {_TEXT_MAX} characters")
    if not isinstance(document["slot"], str) or not _SLOT.fullmatch(document["slot"]):
        raise ValueError("slot: expected HOST/SLOT, such as engine-1/b")
    role = next((one for one in ROLES if one == document["role"]), None)
    if role is None:
        raise ValueError(f"role: expected one of {', '.join(ROLES)}")
    digests = tuple(document[key] for key in ("artifact", "config", "limits"))
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in digests):
        raise ValueError("artifact, config, limits: expected sha256: and 64 hexadecimal digits")
    not_after_s = document["not_after_s"]
    if not isinstance(not_after_s, int) or isinstance(not_after_s, bool) or not 0 < not_after_s < 1 << 40:
        raise ValueError("not_after_s: expected seconds since 1970")
    return SlotApproval(
        site=document["site"],
        slot=document["slot"],
        role=role,
        runs=(digests[0], digests[1], digests[2]),
        person=document["person"],
        not_after_s=not_after_s,
    )
