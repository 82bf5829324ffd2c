"""`hft plan --limit HOSTS [-o FILE]`: what is pending on many hosts, saved for `hft apply FILE`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deploys.tune.host_changes import HostChanges
from hft import run_log
from hft.errors import Exit
from hft.files import Report
from hft.plan_store import keep
from hft.saved_plans import document_of
from hft.sites import load
from hft.verbs.apply import (
    ApplyRequest,
    Decision,
    exit_code_of_look,
    look_and_decide,
    named_profile,
    tuned_hosts,
)
from hft.views.apply import show_pending
from transport.hint import command
from transport.show import tell


def plan_many(  # noqa: PLR0913  # one argument for each option
    *,
    inventory: str | None,
    limit: str | None,
    profile: str | None,
    output: str | None,
    retries: int,
    as_json: bool,
) -> int:
    """Look at every host, show what is pending there, and save it; the same exit codes as a dry run's."""
    site = load(inventory)
    request = ApplyRequest(
        site=site,
        hosts=tuned_hosts(site, limit, profile),
        profile=named_profile(site, profile),
        retries=retries,
    )
    with ExitStack() as opened:
        to = opened.enter_context(Report(Path(output))) if output is not None else None
        tell(f"looking at {len(request.hosts)} host(s) of {site.name}", err=True)
        decision = look_and_decide(request)
        show_pending(decision.changes, decision.dark, decision.wrong, as_json=as_json)
        if to is not None:
            _save(to, site.name, decision.changes)
    return _code(decision, is_saved=output is not None)


def _save(to: Report, site: str, changes: Sequence[HostChanges]) -> None:
    keep(one.plan for one in changes)
    document = document_of(site, changes, at=run_log.now(), by=run_log.operator())
    to.write(json.dumps(document, indent=1) + "\n")
    again = command("apply", str(to.path))
    tell(f"saved the plans of {len(changes)} host(s) in {to.path}; to carry out just that: {again}", err=True)


def _code(decision: Decision, *, is_saved: bool) -> Exit:
    """As of a dry run; a file that holds every host that was asked for is what was wanted."""
    code = exit_code_of_look(decision)
    return Exit.OK if is_saved and code is Exit.PENDING else code
