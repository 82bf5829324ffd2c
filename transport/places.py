"""Where this account keeps state, caches and choices: the XDG Base Directory Specification, one rule for all.

https://specifications.freedesktop.org/basedir-spec/ : `$XDG_STATE_HOME`, `$XDG_CACHE_HOME` and
`$XDG_CONFIG_HOME`, each only when it is absolute, else `~/.local/state`, `~/.cache` and `~/.config`. What an
earlier release kept below the home directory, whatever the variables say, is still found there.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from transport.show import tell

OURS = "hft"
_SAID: set[Path] = set()


def state_home() -> Path:
    """The folder of what is worth keeping between runs."""
    return _home("XDG_STATE_HOME", ".local/state")


def cache_home() -> Path:
    """The folder of what can be made again at any time."""
    return _home("XDG_CACHE_HOME", ".cache")


def config_home() -> Path:
    """The folder of what a person chose."""
    return _home("XDG_CONFIG_HOME", ".config")


def kept_state(*parts: str) -> Path:
    """A place of ours below the state folder; where an earlier release kept it, if it is there alone."""
    return _kept(state_home().joinpath(OURS, *parts), ".local/state", parts)


def kept_cache(*parts: str) -> Path:
    """The same below the cache folder."""
    return _kept(cache_home().joinpath(OURS, *parts), ".cache", parts)


def _home(variable: str, usual: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / usual


def _kept(place: Path, usual: str, parts: tuple[str, ...]) -> Path:
    before = Path.home().joinpath(usual, OURS, *parts)
    if place == before or _is_there(place) or not _is_there(before):
        return place
    if before not in _SAID:  # once a run
        _SAID.add(before)
        move = shlex.join(["mv", str(before), str(place)])
        tell(f"hft: {before} is used as before; to have it where your environment says: {move}", err=True)
    return before


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:
        return False
