"""The one fact: everything the planner and the comparison need, in one round trip."""

from __future__ import annotations

from pyinfra.api.facts import FactBase
from typing_extensions import override

from deploys.tune.host_state import HostState, observe_command, parse_observed
from transport.answer import Completed


class HostSnapshot(FactBase[HostState]):
    """The host as observed now."""

    @override
    def command(self) -> str:
        return observe_command()

    @override
    def process(self, output: list[str]) -> HostState:
        return parse_observed("this host", Completed(returncode=0, stdout="\n".join(output), stderr=""))
