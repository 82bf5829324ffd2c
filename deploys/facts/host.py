"""The one fact: everything the planner and the comparison need, in one round trip."""

from __future__ import annotations

from pyinfra.api.facts import FactBase
from typing_extensions import override

from deploys.observed import Observed, observe_command, parse_observed


class HostSnapshot(FactBase[Observed]):
    """The host as observed now; `root` is another directory than / only for a host that is a directory."""

    @override
    def command(self, root: str = "/") -> str:
        return observe_command(root)

    @override
    def process(self, output: list[str]) -> Observed:
        return parse_observed("this host", "\n".join(output))
