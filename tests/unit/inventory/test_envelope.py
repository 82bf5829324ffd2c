"""The signed inventory as a document: one form, what is signed, and what no envelope may hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from inventory.envelope import Envelope, at_second, body_of, rendered, signed_bytes, taken_apart
from inventory.validation_message import explain
from tests.support.signed import NOW, envelope, host, site_table


def document() -> bytes:
    return rendered(body_of(envelope(now=NOW)), "no signature yet")


def test_a_file_is_taken_apart_into_what_it_was_made_of() -> None:
    body = body_of(envelope(7, now=NOW))
    assert taken_apart(rendered(body, "S")) == (body, "S")
    assert Envelope.model_validate(body) == envelope(7, now=NOW)


def test_signed_is_the_shortest_form_with_whole_numbers_whole() -> None:
    signed = signed_bytes(body_of(envelope(now=NOW)))
    assert signed == json.dumps(json.loads(signed), sort_keys=True, separators=(",", ":")).encode()
    assert b'"patience":1,' in signed
    assert b'"status_deadline_s":2.5,' in signed


REFORMED: dict[str, Callable[[bytes], bytes]] = {
    "a blank more": lambda data: data.replace(b": ", b":  ", 1),
    "no line end": lambda data: data[:-1],
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "windows line ends": lambda data: data.replace(b"\n", b"\r\n"),
    "compact": lambda data: json.dumps(json.loads(data), sort_keys=True).encode(),
    "an escape": lambda data: data.replace(b'"rack"', b'"\\u0072ack"'),
    "another order": lambda data: (
        json.dumps(dict(reversed(json.loads(data).items())), indent=1).encode() + b"\n"
    ),
    "a key twice": lambda data: data.replace(b'\n "generation"', b'\n "generation": 9,\n "generation"'),
    "a number as a fraction": lambda data: data.replace(b'"generation": 1', b'"generation": 1.0'),
    "infinity": lambda data: data.replace(b'"generation": 1', b'"generation": 1e999'),
    "half a surrogate": lambda data: data.replace(b'"rack"', b'"\\ud800"'),
    "no signature": lambda data: data.replace(b'"signature"', b'"signed"'),
    "text behind it": lambda data: data + b" ",
    "nothing": lambda _: b"",
    "a list": lambda data: b"[" + data + b"]",
}


@pytest.mark.parametrize("change", REFORMED.values(), ids=REFORMED.keys())
def test_the_same_in_another_form_is_refused(change: Callable[[bytes], bytes]) -> None:
    data = document()
    assert taken_apart(data)
    assert change(data) != data
    with pytest.raises(ValueError, match=r"."):
        taken_apart(change(data))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another schema": ({"schema": 2}, "schema"),
    "an unknown key": ({"generatoin": 1}, "unknown key 'generatoin'"),
    "generation 0": ({"generation": 0}, "generation: expected at least 1"),
    "generation as text": ({"generation": "1"}, "generation: expected a whole number"),
    "generation true": ({"generation": True}, "generation: expected a whole number"),
    "beyond exact numbers": ({"generation": 2**53}, "generation: expected at most"),
    "local time": ({"made_at": "2026-12-01T02:45:00+01:00"}, "made_at: expected a time"),
    "no time": ({"expires": "2026-13-01T02:45:00+00:00"}, "expires: expected a time"),
    "over before it began": ({"expires": "2026-12-01T02:45:00+00:00"}, "is not after made_at"),
    "a line break in the stack": ({"stack": "prod\nx"}, "stack"),
    "an identity missing": (
        {"site": site_table(hosts=[host(0), host(1, identity=None)])},
        "'e1' has no identity",
    ),
    "an address twice": (
        {"site": site_table(hosts=[host(0), host(1, address="192.0.2.1")])},
        "same address and port",
    ),
    "an address in two forms": (
        {"site": site_table(hosts=[host(0), host(1, address="::ffff:192.0.2.1")])},
        "same address and port",
    ),
    "a name in two cases": (
        {"site": site_table(hosts=[host(0, address="E.example.net"), host(1, address="e.example.net")])},
        "same address and port",
    ),
    "a host key twice": (
        {
            "site": site_table(
                hosts=[host(0), host(1, identity=host(0)["identity"] | {"machine_id": "9" * 32})]
            )
        },
        "same host key",
    ),
    "a machine-id twice": (
        {
            "site": site_table(
                hosts=[host(0), host(1, identity=host(1)["identity"] | {"machine_id": "0" * 32})]
            )
        },
        "same machine id",
    ),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_no_envelope_may_hold_is_one_sentence(change: dict[str, Any], said: str) -> None:
    body = body_of(envelope(now=NOW))
    Envelope.model_validate(body)
    with pytest.raises(ValidationError) as caught:
        Envelope.model_validate(body | change)
    sentence = explain(caught.value, body | change)[0]
    assert said in sentence
    assert "\n" not in sentence


def test_it_holds_until_the_second_it_expires() -> None:
    made = envelope(now=NOW)
    last = NOW + timedelta(days=1)
    assert made.fault_at(last - timedelta(seconds=1)) == ""
    assert made.fault_at(last).startswith("expired on 2026-12-02T02:45:00+00:00; hint")


def test_a_clock_that_is_behind_is_named_instead_of_believed() -> None:
    made = envelope(now=NOW)
    assert made.fault_at(NOW - timedelta(minutes=5)) == ""
    assert "later than now" in made.fault_at(NOW - timedelta(minutes=5, seconds=1))


def test_times_are_written_in_utc_to_the_second() -> None:
    assert at_second(NOW + timedelta(milliseconds=9)) == "2026-12-01T02:45:00+00:00"
