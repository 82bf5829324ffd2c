"""The work of a pyinfra host, made at the first call from one fact and then kept with the host.

pyinfra runs a deploy once to prepare and every operation's generator again to execute. Looking a second time
would cost a round trip for each operation. Nothing is trusted because of that: the document names the digest
of what the plan was made from and the value each step expects, and the agent refuses a host that changed.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from pyinfra.api.host import Host as PyinfraHost

from deploys.errors import RefusedError
from deploys.facts.host import HostSnapshot
from deploys.work import Work, make_work
from inventory.model import Host, Trial
from tuning.plan import Plan
from tuning.profile import Profile

_KEPT: WeakKeyDictionary[PyinfraHost, Work] = WeakKeyDictionary()


def work_of(host: PyinfraHost) -> Work:
    """The work of a pyinfra host; refuses a host without a profile, which there is nothing to do for."""
    if host not in _KEPT:
        described = Host.model_validate(host.data.hft_host)
        profile = host.data.get("hft_profile")
        if profile is None:
            raise RefusedError(f"{described.name}: has no profile, so there is nothing to tune")
        observed = host.get_fact(HostSnapshot)
        if observed is None:
            raise RefusedError(f"{described.name}: could not be observed")
        plan_text = host.data.get("hft_plan")
        _KEPT[host] = make_work(
            described,
            observed,
            Profile.from_mapping(profile),
            Trial.model_validate(host.data.hft_trial),
            plan=Plan.from_json(plan_text) if plan_text else None,
            expected_plan=host.data.get("hft_expected_plan"),
            drained=bool(host.data.get("hft_drained")),
        )
    return _KEPT[host]


def kept(host: PyinfraHost) -> Work | None:
    """The work of a host if it was made, without looking again."""
    return _KEPT.get(host)
