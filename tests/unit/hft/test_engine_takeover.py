"""A colleague's takeover stops a running engine deploy between two hosts, as it stops an apply."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, cast

import pytest

from deploys.artifact.work import EngineWork
from deploys.ends import HostEnd
from hft import engine_deploying
from hft.errors import Exit, HftError
from hft.locks import site_lock
from inventory.model import Host


class Named:
    """Of a host's work, what the waves need: the host."""

    def __init__(self, number: int) -> None:
        self.host = Host(
            name=f"e{number}", address=f"192.0.2.{number}", role="engine", failure_domain=f"rack-{number}"
        )


def test_takeover_stops_the_deploy_before_the_next_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(work: Named, _keys: dict[str, str], _call: Any) -> HostEnd:
        return HostEnd(host=work.host.name, result="applied", sentence="done")

    monkeypatch.setattr(engine_deploying, "one_end", ended)
    works = cast("list[EngineWork]", [Named(1), Named(2), Named(3)])
    with ExitStack() as held:
        ours = held.enter_context(site_lock("loop", "engine deploy"))
        running = engine_deploying.each_end(works, {}, ours)
        assert next(running).host == "e1"
        held.enter_context(site_lock("loop", "a colleague", takeover=True))
        with pytest.raises(HftError, match="taken over") as caught:
            next(running)
    assert caught.value.exit_code is Exit.LOCKED
