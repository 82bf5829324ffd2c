"""`hft failover succession arm | disarm`: hand a signed succession to the gateways, or take it back.

The gateway checks signature, epoch and holder itself; from then on it acts without anybody
(docs/runbooks/failover.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.failover_move import CLUSTER, DEADLINE, WHY
from transport.show import tell, tell_document

if TYPE_CHECKING:
    from hft.runbooks.cluster import Cluster
    from hft.runbooks.look import Answers

CODES = """\b
Exit codes: 0 the gateway in charge has it on disk, 2 a gateway refused (the sentence says why), 7 a gateway
did not answer.
"""


@click.command(
    epilog=f"""\b
Example:
  hft failover succession arm succession.json --reason "the night shift is one person"

{CODES}"""
)
@click.argument("document", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def arm(  # noqa: PLR0913  # each by name
    *, document: Path, reason: str, path: Path | None, inventory: str | None, deadline: float, as_json: bool
) -> int:
    """Hand a signed succession to the gateways: once, the holder's silence is enough."""
    from failover.succession import succession_from
    from hft.runbooks.cluster import load_cluster
    from hft.signed_document import read_document

    one, _, signature = read_document(document, "succession", succession_from)
    cluster = load_cluster(path, inventory)
    request = {"verb": "succession", "succession": one.body(), "signature": signature}
    return _told(
        cluster, request, "failover arm", one.successor, reason, deadline_s=deadline, as_json=as_json
    )


@click.command(
    epilog=f"""\b
Example:
  hft failover succession disarm --reason "eng-1/b is being rebuilt"

{CODES}"""
)
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def disarm(*, reason: str, path: Path | None, inventory: str | None, deadline: float, as_json: bool) -> int:
    """Take the succession back: no failover happens by itself."""
    from hft.operators import operator
    from hft.runbooks.cluster import load_cluster

    cluster = load_cluster(path, inventory)
    request = {"verb": "succession", "operator": operator(), "reason": reason}
    return _told(
        cluster,
        request,
        "failover disarm",
        cluster.gateways[0].name,
        reason,
        deadline_s=deadline,
        as_json=as_json,
    )


def _told(  # noqa: PLR0913  # each by name
    cluster: Cluster,
    request: Mapping[str, object],
    verb: str,
    subject: str,
    reason: str,
    *,
    deadline_s: float,
    as_json: bool,
) -> int:
    from hft import run_log
    from hft.locks import site_lock
    from hft.runbooks.ask import Question
    from hft.runbooks.look import ask_all
    from hft.views.failover import SCHEMA

    if not reason.strip():
        raise HftError(Exit.BAD_INPUT, "--reason: say why, it is what the record is read for")
    names = [one.name for one in cluster.gateways]
    with (
        site_lock(cluster.site, reason),
        run_log.recorded(cluster.site, verb, hosts=[subject], reason=reason) as run,
    ):
        questions = [Question(to=one, requests=(request,), patience_s=deadline_s) for one in cluster.gateways]
        answers = dict(zip(names, ask_all(questions), strict=True))
        said = {name: _said(answer, request) for name, answer in answers.items()}
        run.exit_code = max((code for code, _ in said.values()), key=int)
        facts = {name: sentence for name, (_, sentence) in said.items()}
        run.host(subject, **facts)
        if as_json:
            tell_document({"schema": SCHEMA, "gateways": facts, "exit_code": int(run.exit_code)})
        else:
            for name, sentence in facts.items():
                tell(f"{name}: {sentence}")
    return int(run.exit_code)


def _said(answer: Answers, request: Mapping[str, object]) -> tuple[Exit, str]:
    from hft.runbooks.ask import SilentError, refusal

    if isinstance(answer, SilentError):
        return Exit.UNREACHABLE, str(answer)
    if answer[0].get("ok") is not True:
        return Exit.BAD_INPUT, refusal(answer[0])
    return Exit.OK, "kept on disk" if "succession" in request else "forgotten"
