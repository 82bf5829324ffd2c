"""One act on many hosts at once; an interrupt ends all of them where they wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from transport.child import stopped

Subject = TypeVar("Subject")
Answer = TypeVar("Answer")
THREADS_MOST = 32
_MOST = [THREADS_MOST]


def act_on(most: int) -> None:
    """From now on at most MOST subjects at once (`--parallel`); 1 is one after the other."""
    _MOST[0] = max(1, min(most, THREADS_MOST))


def at_once(
    act: Callable[[Subject], Answer],
    subjects: Sequence[Subject],
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """The answers in the order of the subjects; the first exception is raised when all others have ended.

    MEANWHILE is called once, by the caller's own thread, while the subjects are at it.
    """
    if not subjects:
        return []
    with ThreadPoolExecutor(max_workers=min(len(subjects), _MOST[0])) as pool:
        futures = [pool.submit(act, subject) for subject in subjects]
        try:
            meanwhile()
            return [future.result() for future in futures]
        except BaseException:
            with stopped():  # an interrupted operator does not wait for a dark host's deadline
                pool.shutdown(wait=True, cancel_futures=True)
            raise
