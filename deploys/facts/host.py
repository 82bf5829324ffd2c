"""The one fact: everything the planner and the comparison need, in one round trip."""

from __future__ import annotations

from pyinfra.api.facts import FactBase
from typing_extensions import override

from deploys.observed import Observed, observe_command, parse_observed


class HostSnapshot(FactBase[Observed]):
    """The host as observed now."""

    @override
    def command(self) -> str:
        return observe_command()

    @override
    def process(self, output: list[str]) -> Observed:
        return parse_observed("this host", "\n".join(output))
