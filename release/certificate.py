"""What the authority signs about a release, and every reason not to take one. Pure.

A certificate names the artifact by its digest, the lowest version that may still be installed once it was
taken (its *floor*), the classes of host that may run it, an expiry and the bill of materials. Whoever takes a
release checks all of it: a good signature alone would let yesterday's release back in, or a lab's build onto
a trading host. The signature itself is checked where it can be (`ssh-keygen -Y`); here it is a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

CheckCode = Literal["signature", "artifact", "version", "name", "downgrade", "host_class", "expired", "sbom"]
Version = tuple[int, int, int]
_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CLASS = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEYS = ("schema", "artifact", "name", "version", "floor", "host_classes", "not_after_s", "sbom")
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is signed."""

    artifact: str  # digest of the release
    name: str
    version: Version
    floor: Version  # nothing below it may be installed after this
    host_classes: tuple[str, ...]
    not_after_s: int  # UTC, seconds since 1970
    sbom: str  # digest of the bill of materials

    def body(self) -> dict[str, Any]:
        """The document whose canonical bytes are signed."""
        return {
            "schema": SCHEMA,
            "artifact": self.artifact,
            "name": self.name,
            "version": shown(self.version),
            "floor": shown(self.floor),
            "host_classes": list(self.host_classes),
            "not_after_s": self.not_after_s,
            "sbom": self.sbom,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found by whoever is about to take the release."""

    is_signed: bool  # by a key that may sign releases, over the canonical bytes
    artifact: str  # digest of the bytes at hand
    name: str
    version: Version
    sbom: str
    host_class: str
    floor: Version  # the highest floor taken so far on this host
    now_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The first check that does not hold, and the sentence that says so."""

    code: CheckCode
    sentence: str


Check = tuple[CheckCode, Callable[[Certificate, Seen], str]]


def _signature(_: Certificate, seen: Seen) -> str:
    return "" if seen.is_signed else "no key that may sign releases has signed these bytes"


def _artifact(one: Certificate, seen: Seen) -> str:
    return (
        ""
        if one.artifact == seen.artifact
        else f"the artifact at hand is {seen.artifact}, not {one.artifact}"
    )


def _version(one: Certificate, seen: Seen) -> str:
    if one.version == seen.version:
        return ""
    return f"the artifact says version {shown(seen.version)}, the certificate {shown(one.version)}"


def _name(one: Certificate, seen: Seen) -> str:
    return (
        "" if one.name == seen.name else f"the artifact is a {seen.name}, the certificate is for {one.name}"
    )


def _downgrade(one: Certificate, seen: Seen) -> str:
    if one.version >= max(seen.floor, one.floor):
        return ""
    return f"version {shown(one.version)} is below the floor {shown(max(seen.floor, one.floor))}"


def _host_class(one: Certificate, seen: Seen) -> str:
    return "" if seen.host_class in one.host_classes else f"it is not for hosts of class {seen.host_class}"


def _expired(one: Certificate, seen: Seen) -> str:
    return "" if seen.now_s < one.not_after_s else f"it expired {seen.now_s - one.not_after_s} s ago"


def _sbom(one: Certificate, seen: Seen) -> str:
    return "" if one.sbom == seen.sbom else f"the bill of materials at hand is {seen.sbom}, not {one.sbom}"


CHECKS: tuple[Check, ...] = (
    ("signature", _signature),
    ("artifact", _artifact),
    ("name", _name),
    ("version", _version),
    ("downgrade", _downgrade),
    ("host_class", _host_class),
    ("expired", _expired),
    ("sbom", _sbom),
)


def refused(one: Certificate, seen: Seen, checks: Sequence[Check] = CHECKS) -> Refusal | None:
    """The first check that does not hold; None when the release may be taken."""
    for code, check in checks:
        if sentence := check(one, seen):
            return Refusal(code=code, sentence=sentence)
    return None


def certificate_from(document: object) -> Certificate:
    """The certificate in a document; ValueError names what is wrong with it."""
    if (
        not isinstance(document, dict)
        or set(document) != set(_KEYS)
        or repr(document["schema"]) != repr(SCHEMA)
    ):
        raise ValueError(f"a certificate has exactly the keys {', '.join(_KEYS)}, with schema {SCHEMA}")
    classes, not_after_s = document["host_classes"], document["not_after_s"]
    if not isinstance(classes, list) or not classes or not all(_matches(_CLASS, one) for one in classes):
        raise ValueError("host_classes: expected at least one class of host")
    if not isinstance(not_after_s, int) or isinstance(not_after_s, bool) or not 0 < not_after_s < 1 << 40:
        raise ValueError("not_after_s: expected seconds since 1970")
    for key in ("artifact", "sbom"):
        if not _matches(_DIGEST, document[key]):
            raise ValueError(f"{key}: expected sha256: and 64 hexadecimal digits")
    if not isinstance(document["name"], str) or not document["name"]:
        raise ValueError("name: expected text")
    return Certificate(
        artifact=document["artifact"],
        name=document["name"],
        version=version_from(document["version"]),
        floor=version_from(document["floor"]),
        host_classes=tuple(classes),
        not_after_s=not_after_s,
        sbom=document["sbom"],
    )


def version_from(text: object) -> Version:
    """`1.2.3`; ValueError for anything else."""
    found = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no version such as 1.2.3")
    return int(found[1]), int(found[2]), int(found[3])


def shown(version: Version) -> str:
    """`1.2.3`."""
    return ".".join(map(str, version))


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
