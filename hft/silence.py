"""Holds a deploy's silence at the Alertmanager pair while a block runs (monitoring/lease.py)."""

from __future__ import annotations

import dataclasses
import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from hft.errors import Exit, HftError
from monitoring.lease import EXTEND_EVERY_S, Lease
from transport.show import tell

ANSWER_MAX = 1 << 16
PATIENCE_S = 5.0


def _ask(url: str, path: str, method: str, document: object = None) -> bytes:
    """One request to one Alertmanager; its answer.

    Raises: HftError (unreachable) where it does not answer or refuses.
    """
    request = urllib.request.Request(  # noqa: S310  # the verb takes http and https only
        f"{url.rstrip('/')}/api/v2/{path}",
        data=None if document is None else json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return bytes(answer.read(ANSWER_MAX))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise HftError(Exit.UNREACHABLE, f"Alertmanager {url} took no silence: {reason}") from error


def _at_any(urls: Sequence[str], path: str, method: str, document: object = None) -> bytes:
    """The same at the first member that answers: they share their silences."""
    failed: HftError | None = None
    for url in urls:
        try:
            return _ask(url, path, method, document)
        except HftError as error:
            failed = error
    raise failed or HftError(Exit.BAD_INPUT, "no Alertmanager was named")


def _taken(urls: Sequence[str], lease: Lease) -> Lease:
    """LEASE, taken or extended now, under the id that it has there."""
    answer = _at_any(urls, "silences", "POST", lease.document(datetime.now(UTC)))
    try:
        return dataclasses.replace(lease, id=str(json.loads(answer)["silenceID"]))
    except (ValueError, KeyError, TypeError) as error:
        raise HftError(Exit.UNREACHABLE, f"{urls[0]} answers, and not as an Alertmanager does") from error


@contextmanager
def held(urls: Sequence[str], lease: Lease, every_s: float = EXTEND_EVERY_S) -> Iterator[str]:
    """A silence for this block: taken before it, extended in it, expired behind it.

    Raises: HftError (unreachable) where no member takes it; the block then does not run.
    """
    mine = _taken(urls, lease)
    done = threading.Event()

    def extend() -> None:
        nonlocal mine
        while not done.wait(every_s):
            try:
                mine = _taken(urls, mine)
            except HftError as error:
                tell(f"hft: {error}; it lapses by itself", err=True)

    worker = threading.Thread(target=extend, daemon=True)
    worker.start()
    try:
        yield mine.id
    finally:
        done.set()
        worker.join(2 * PATIENCE_S)
        try:
            _at_any(urls, f"silence/{mine.id}", "DELETE")
        except HftError as error:
            tell(f"hft: {error}; it lapses by itself", err=True)
