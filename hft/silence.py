"""Holds a deploy's silence at the Alertmanager pair while a block runs (monitoring/lease.py)."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from hft.errors import Exit, HftError
from hft.json_over_http import PATIENCE_S, request
from monitoring.lease import EXTEND_EVERY_S, Lease
from transport.show import tell


def _at_any(urls: Sequence[str], path: str, method: str, document: object = None) -> object:
    """One request at the first member that answers: they share their silences.

    Raises: HftError (unreachable) where none does.
    """
    failed: HftError | None = None
    for url in urls:
        try:
            return request(f"{url}/api/v2/{path}", method=method, document=document)
        except HftError as error:
            failed = error
    raise failed or HftError(Exit.BAD_INPUT, "no Alertmanager was named")


def _taken(urls: Sequence[str], lease: Lease) -> Lease:
    """LEASE, taken or extended now, under the id that it has there."""
    answer = _at_any(urls, "silences", "POST", lease.document(datetime.now(UTC)))
    match answer:
        case {"silenceID": str(given)}:
            return dataclasses.replace(lease, id=given)
        case _:
            raise HftError(Exit.UNREACHABLE, f"{urls[0]} answers, and not as an Alertmanager does")


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
