"""The signed inventory as a document: what is in it, which bytes are signed, and the one form it may have.

An object with the keys schema (1), site, generation, made_at, expires, engine (such as "pulumi v3.274.1") and
stack ("organization/standby/prod"), both null where a person wrote the site, and signature (armored SSHSIG).

`site` is what a JSON inventory holds, with the identity of every host inside. Signed is everything but the
signature: keys sorted by code point, no blanks, UTF-8, whole numbers without a fraction, which is what
`jq -jcS 'del(.signature)'` prints, so that anybody can verify a file without this program. The file itself
has one form, too: what is not byte for byte as `rendered` writes it is refused before anything of it is read.
No process is started here and no file is opened: `inventory.artifact` does that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from inventory.model import Site
from inventory.profiles import sentence
from tuning.strict_json import Table, bounded, parse

SUFFIX = ".signed.json"
SIZE_MAX, VALUES_MAX = 8 * 1024 * 1024, 400_000
GENERATION_MAX = 2**53 - 1  # what every JSON reader keeps exactly (RFC 8259, section 6)
CLOCKS_APART = timedelta(minutes=5)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_PRINTABLE = r"[ -~]{1,200}"


def _instant(value: str) -> str:
    try:
        if _INSTANT.fullmatch(value):
            datetime.fromisoformat(value)
            return value
    except ValueError:
        pass
    raise ValueError("a time such as 2026-12-01T02:45:00+00:00")


Instant: TypeAlias = Annotated[str, StringConstraints(strict=True), AfterValidator(_instant)]
Generation: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=GENERATION_MAX)]
Origin: TypeAlias = Annotated[str, StringConstraints(strict=True, pattern=f"^{_PRINTABLE}$")]


class Envelope(BaseModel):
    """A site as it was at one time: which generation, until when, and what made it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    site: Site
    generation: Generation
    made_at: Instant
    expires: Instant
    engine: Origin | None = None
    stack: Origin | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.expires <= self.made_at:
            raise sentence(f"expires {self.expires} is not after made_at {self.made_at}")
        unknown = [host.name for host in self.site.hosts if host.identity is None]
        if unknown:
            more = f" (and {len(unknown) - 1} more)" if unknown[1:] else ""
            raise sentence(
                f"host {unknown[0]!r} has no identity{more}; "
                "hint: enrol it in the inventory that is signed, then sign again"
            )
        return self

    def fault_at(self, now: datetime) -> str:
        """Why this inventory may not be used at NOW (aware), or nothing."""
        if datetime.fromisoformat(self.expires) <= now:
            return f"expired on {self.expires}; hint: sign a new generation of it"
        if datetime.fromisoformat(self.made_at) > now + CLOCKS_APART:
            return f"made at {self.made_at}, which is later than now; hint: look at this machine's clock"
        return ""


def at_second(moment: datetime) -> str:
    """An aware time as envelopes have it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def body_of(envelope: Envelope) -> dict[str, Any]:
    """What is signed, as a value of JSON."""
    body = _whole(envelope.model_dump(mode="json", by_alias=True))
    assert isinstance(body, dict)
    return body


def signed_bytes(body: Mapping[str, object]) -> bytes:
    """The bytes that a signature is over; ValueError for text that UTF-8 cannot hold."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest_of(body: Mapping[str, object]) -> str:
    """SHA-256 of what is signed, in hexadecimal."""
    return hashlib.sha256(signed_bytes(body)).hexdigest()


def rendered(body: Mapping[str, object], signature: str) -> bytes:
    """The bytes of the file."""
    document = _whole({**body, "signature": signature})
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def taken_apart(data: bytes) -> tuple[dict[str, object], str]:
    """What is signed and the signature of a file's bytes; ShapeError or ValueError for any other form."""
    table = Table.of(bounded(parse(data, size_max=SIZE_MAX), values_max=VALUES_MAX))
    signature = table.text("signature")
    body = {key: value for key, value in table.fields.items() if key != "signature"}
    if rendered(body, signature) != data:
        raise ValueError("not in the form in which it was written, so somebody edited it")
    return body, signature


def _whole(value: object) -> object:
    """VALUE with 2.0 as 2: JSON does not tell them apart, and programs print them differently."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(child) for key, child in value.items()}
        case list():
            return [_whole(child) for child in value]
        case _:
            return value
