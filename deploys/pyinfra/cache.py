"""What is decided for a pyinfra host, kept with the host between pyinfra's two runs of every operation.

`hft apply` hands on what it decided and showed (`hft_changes`). pyinfra's own command line has nothing to
hand on: there it is decided at the first call, from one fact. pyinfra runs a deploy once to prepare and
every operation's generator again to execute, and looking a second time would cost a round trip for each
operation. Nothing is trusted because of that: the document names the digest of what the plan was made from
and the value each step expects, and the agent refuses a host that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pyinfra.api.host import Host as PyinfraHost

from deploys.agent_client.call import AgentOutcome
from deploys.errors import RefusedError
from deploys.pyinfra.facts import HostSnapshot
from deploys.tune.changes import Change
from deploys.tune.host_changes import HostChanges, make_work
from inventory.model import Host, Trial
from tuning.plan.profile import Profile


@dataclass(slots=True, kw_only=True)
class Kept:
    """One host's changes, the items that its operations asked for so far, and what became of them."""

    changes: HostChanges
    added: list[Change] = field(default_factory=list)
    outcome: AgentOutcome | None = None
    error: Exception | None = None

    def add(self, items: Sequence[Change]) -> None:
        """Put items into the document; twice is once, because pyinfra may run an operation again."""
        self.added.extend(item for item in items if item not in self.added)


_KEPT: WeakKeyDictionary[PyinfraHost, Kept] = WeakKeyDictionary()


def kept(host: PyinfraHost) -> Kept:
    """What is kept of a pyinfra host; refuses one without a profile, for which there is nothing to do."""
    if host not in _KEPT:
        _KEPT[host] = Kept(changes=host.data.get("hft_changes") or _decided(host))
    return _KEPT[host]


def _decided(host: PyinfraHost) -> HostChanges:
    described = Host.model_validate(host.data.hft_host)
    profile = host.data.get("hft_profile")
    if profile is None:
        raise RefusedError(described.name, "has no profile, so there is nothing to tune")
    observed = host.get_fact(HostSnapshot)
    if observed is None:
        raise RefusedError(described.name, "could not be observed")
    return make_work(
        described, observed, Profile.from_mapping(profile), Trial.model_validate(host.data.hft_trial)
    )
