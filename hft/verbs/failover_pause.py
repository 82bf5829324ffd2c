"""`hft failover pause` and `unpause`: hold planned moves and the automatic succession off, for a while.

The gateways enforce it and let it expire; a failover by a person and a kill always pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hft import options
from hft.errors import Exit
from hft.verbs.failover_move import CLUSTER, DEADLINE, WHY, said_why
from transport.show import tell, tell_document

_SPAN = re.compile(r"([1-9]\d{0,5})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
SPAN_MAX_S = 7 * 86_400  # as the gateway bounds it
KIND = click.option(
    "--kind", type=click.Choice(("pause", "freeze")), default="pause", show_default=True,
    help="A person's pause, or a calendar's freeze; one of each may hold.",
)  # fmt: skip
CODES = """\b
Exit codes: 0 every gateway has it on disk, 2 one refused (the sentence says why), 4 one holds it in memory
only, 7 one did not answer.
"""


def _seconds(context: click.Context, param: click.Parameter, said: str) -> int:
    """`90s`, `20m`, `2h` in seconds; a usage error for anything else."""
    found = _SPAN.fullmatch(said)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= SPAN_MAX_S:
        raise click.BadParameter(
            f"{said!r}: expected such as 90s, 20m, 2h, and 168h at most.", context, param
        )
    return seconds


@click.command(
    epilog=f"""\b
Example:
  hft failover pause --for 20m --reason "switch 3 is being replaced"

It always expires; asked again it is replaced. A failover by a person, a rollback and a kill are not held off.

{CODES}"""
)
@click.option(
    "--for", "for_s", callback=_seconds, required=True, metavar="SPAN", help="90s, 20m, 2h; 168h at most."
)
@KIND
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def pause(  # noqa: PLR0913  # each by name
    *, for_s: int, kind: str, reason: str, path: Path | None, inventory: str | None, deadline: float,
    as_json: bool,
) -> int:  # fmt: skip
    """Hold switchovers and the automatic succession off at every gateway, until it expires."""
    request = {"verb": "pause", "kind": kind, "for_s": for_s}
    return _told(request, reason, path, inventory, deadline, as_json=as_json)


@click.command(
    epilog=f"""\b
Example:
  hft failover unpause --reason "switch 3 is in place"

{CODES}"""
)
@KIND
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def unpause(  # noqa: PLR0913  # each by name
    *, kind: str, reason: str, path: Path | None, inventory: str | None, deadline: float, as_json: bool
) -> int:
    """Let planned moves and the automatic succession go on before the pause expires."""
    return _told({"verb": "unpause", "kind": kind}, reason, path, inventory, deadline, as_json=as_json)


def _told(  # noqa: PLR0913  # each by name
    request: Mapping[str, Any],
    reason: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    *,
    as_json: bool,
) -> int:
    """The same word to every gateway at once, recorded; no lock, since it makes nobody trade."""
    from hft import run_log
    from hft.operators import operator
    from hft.runbooks.ask import Question, SilentError, refusal
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.look import ask_all
    from hft.views.failover import SCHEMA

    said_why(reason)
    cluster = load_cluster(path, inventory)
    words = {**request, "operator": operator(), "reason": reason.strip()}
    verb = f"failover {request['verb']}"
    said: dict[str, str] = {}
    with run_log.recorded(cluster.site, verb, hosts=[], reason=reason) as run:
        questions = [Question(to=one, requests=(words,), patience_s=deadline) for one in cluster.gateways]
        codes = [Exit.OK]
        for question, answer in zip(questions, ask_all(questions), strict=True):
            if isinstance(answer, SilentError):
                code, text = Exit.UNREACHABLE, str(answer)
            elif answer[0].get("ok") is not True:
                code, text = Exit.BAD_INPUT, f"refused, {refusal(answer[0])}"
            elif answer[0].get("durable", True) is not True:
                code, text = Exit.UNVERIFIABLE, f"in memory only: {answer[0].get('detail')}"
            else:
                code, text = Exit.OK, "done"
            codes.append(code)
            said[question.to.name] = text
            run.host(question.to.name, result=text)
        run.exit_code = max(codes)
    if as_json:
        tell_document(
            {"schema": SCHEMA, "verb": request["verb"], "gateways": said, "exit_code": run.exit_code}
        )
    else:
        for name, text in said.items():
            tell(f"{name}: {text}")
    return int(run.exit_code)
