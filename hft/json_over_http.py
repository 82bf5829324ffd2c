"""One bounded JSON request to a service of monitoring: Prometheus, Alertmanager."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import urlsplit

from hft.errors import Exit, HftError

ANSWER_MAX = 1 << 22
PATIENCE_S = 5.0


def checked(url: str, kind: str) -> str:
    """URL without a slash at its end.

    Raises: HftError (bad input) for what is no http or https URL.
    """
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is none
        is_one = False
    if not is_one or not url.isprintable() or " " in url:
        raise HftError(Exit.BAD_INPUT, f"{url[:200]!r} is not the URL of {kind}; name http://HOST:PORT")
    return url.rstrip("/")


def request(url: str, *, method: str = "GET", document: object = None) -> object:
    """What the service answers, None for an empty answer; URL is one that `checked` let through.

    Raises: HftError (unreachable) where it does not answer, refuses, or answers what is no JSON.
    """
    asked = urllib.request.Request(  # noqa: S310  # http and https only: `checked`
        url,
        data=None if document is None else json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310
            text = bytes(answer.read(ANSWER_MAX))
        return json.loads(text) if text else None
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "reason", None) or error
        raise HftError(Exit.UNREACHABLE, f"{url} does not answer as it should: {reason}") from error
