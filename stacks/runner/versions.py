"""Whether what runs now may go on with what another engine, SDK or Python wrote. Pure.

A state holds the names of Python classes, or the classes themselves, pickled: another Python may fail to load
them, and says only that a socket was closed. An older engine or SDK may not know what a newer one wrote. And
an engine has a language host of its own release, which starts programs in a way that the SDK has to know.
"""

from __future__ import annotations

from collections.abc import Mapping

from semver import VersionInfo

NAMES = {"engine": "Pulumi", "sdk": "the Pulumi SDK", "python": "Python"}


def moved(wrote: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Why NOW cannot go on with a state that WROTE wrote: a sentence's middle, or nothing.

    The keys are engine, sdk and python; what is not known is no reason.
    """
    for key, name in NAMES.items():
        before, here = _version(wrote.get(key)), _version(now.get(key))
        if before is None or here is None:
            continue
        if key == "python" and (before.major, before.minor) != (here.major, here.minor):
            return f"its state was written under Python {before}, and this is {here}"
        if key != "python" and (here.major, here.minor) < (before.major, before.minor):
            return f"its state was written by {name} {before}, and this is the older {here}"
    return ""


def unlike(engine: str, sdk: str, host: str) -> str:
    """Why these cannot work together, or nothing. HOST is '' where it has no version of its own."""
    theirs, ours = _version(engine), _version(sdk)
    if theirs is not None and ours is not None and theirs.major != ours.major:
        return f"the engine is Pulumi {engine}, and the Python packages are Pulumi {sdk}"
    other = _version(host)
    if (
        other is not None
        and theirs is not None
        and (other.major, other.minor) != (theirs.major, theirs.minor)
    ):
        return f"the engine is Pulumi {engine}, and its language host is of Pulumi {host}"
    return ""


def _version(text: str | None) -> VersionInfo | None:
    try:
        return VersionInfo.parse((text or "").removeprefix("v"))
    except ValueError:
        return None
