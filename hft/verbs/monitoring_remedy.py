"""`hft monitoring remedy`: what may be mended by itself is, or would be; the rest is paged."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hft import options
from transport.show import Styled, tell, tell_document

SCHEMA = 1


@click.command(
    epilog="""\b
Examples:
  hft monitoring remedy --alertmanager http://watch-1:9093 --prometheus http://watch-1:9090
  hft monitoring remedy --alertmanager http://watch-1:9093 --alertmanager http://watch-2:9093 \\
      --prometheus http://watch-2:9090 --act --every 30

\b
Without --act it observes: what would be done is shown and recorded. With it, units are restarted and a kill
is engaged, never released; each only after the host itself and a second signal confirm the cause, within
budgets, and outside of a freeze where it is not safe in a session (without --freeze nobody knows, so it
counts as frozen). Exit codes: 0 nothing is needed or all was mended, 3 something would be done, 5 somebody
is needed and was paged, 7 no Alertmanager answers. docs/monitoring.md has the table.
"""
)
@options.INVENTORY
@click.option(
    "--alertmanager", "urls", metavar="URL", multiple=True, required=True, help="A member; repeat for both."
)
@click.option("--prometheus", metavar="URL", required=True, help="Who is asked for the second signal.")
@click.option("--act", is_flag=True, help="Do it; without this it only observes.")
@click.option(
    "--failover", "cluster", metavar="PATH", envvar="HFT_FAILOVER", type=click.Path(path_type=Path),
    help="The failover file, for a kill (default: $HFT_FAILOVER).",
)  # fmt: skip
@click.option(
    "--freeze", metavar="PATH", envvar="HFT_RELEASE", type=click.Path(path_type=Path),
    help="The release file with the freeze windows (default: $HFT_RELEASE).",
)  # fmt: skip
@click.option(
    "--every", type=options.Seconds(1, 3600), metavar="SECONDS", help="Go on, so often, until it is stopped."
)
@options.JSON
def remedy(  # noqa: PLR0913, PLR0917  # one for each option
    inventory: str | None,
    urls: tuple[str, ...],
    prometheus: str,
    act: bool,
    cluster: Path | None,
    freeze: Path | None,
    every: float | None,
    as_json: bool,
) -> int:
    """Mend what a closed table allows, or say what would be mended; page the rest."""
    from hft.json_over_http import checked
    from hft.remedies.run import Wanted, exit_code, one_pass
    from hft.sites import load

    site = load(inventory)
    alertmanagers = tuple(checked(url, "an Alertmanager") for url in urls)
    asked = checked(prometheus, "Prometheus")
    while True:
        wanted = Wanted(
            site=site,
            alertmanagers=alertmanagers,
            prometheus=asked,
            acts=act,
            is_frozen=is_frozen(freeze),
            cluster=cluster,
            inventory=inventory,
        )
        done = one_pass(wanted)
        rows = [
            {
                "alert": one.case.alert,
                "host": one.case.host,
                "verdict": one.decision.verdict.value,
                "reason": one.decision.reason,
                "outcome": one.outcome.value if one.outcome else None,
            }
            for one in done
        ]
        if as_json:
            tell_document({"schema": SCHEMA, "acts": act, "cases": rows})
        else:
            for row in rows:
                tell(
                    f"{row['host']}  {row['alert']}  ",
                    Styled(str(row["verdict"]), "bold"),
                    f"  {row['reason']}",
                )
            if not rows:
                tell("nothing fires that has a remedy")
        if every is None:
            return exit_code(done)
        time.sleep(every)


def is_frozen(path: Path | None) -> bool:
    """Whether rollouts are frozen now; True where no file says it.

    Raises: HftError (bad input) for a file that cannot be used.
    """
    from datetime import UTC, datetime

    from hft.release_file import load_release_file

    return path is None or load_release_file(path).freeze(datetime.now(UTC), "rollout").is_frozen
