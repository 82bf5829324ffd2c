"""`python -m stacks.core`: what a configuration would get, without an account, an engine or a network.

    python -m stacks.core region=eu-west-2 mode=warm site=ldn owner=trading@example.net

Keys are those of stacks/standby_aws/Pulumi.yaml; what only a deployment needs has a placeholder here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from stacks.core.choose import choose
from stacks.core.config import MODES, StandbyConfig, checked
from stacks.core.errors import CoreError
from stacks.core.facts import read_facts
from stacks.core.sizing import Sizing, size

_PLACEHOLDERS = {
    "site": "site",
    "owner": "owner",
    "ami": "ami-00000000000000000",
    "coloCidr": "10.1.0.0/16",
    "transitGatewayId": "tgw-00000000000000000",
}


def explained(words: Sequence[str]) -> Iterator[str]:
    """Lines for a person; CoreError for what cannot be met."""
    pairs = dict(word.partition("=")[::2] for word in words)
    if "region" not in pairs:
        raise CoreError("region is missing; hint: python -m stacks.core region=eu-west-2 mode=warm")
    config = checked({**_PLACEHOLDERS, **pairs})
    choice = choose(config, read_facts())
    yield f"{config.region} {choice.zone_id}, {choice.why}"
    yield f"next best without capacity: {', '.join(choice.next_best) or 'none'}"
    yield from (f"not {name}: {why}" for name, why in choice.rejected.items())
    for mode in MODES:
        try:
            sizing = size(checked({**_PLACEHOLDERS, **pairs, "mode": mode}))
        except CoreError as error:
            yield f"  {mode}: {error}"
            continue
        mark = "*" if mode == config.mode else " "
        yield f"{mark} {_line(sizing, config)}"


def _line(sizing: Sizing, config: StandbyConfig) -> str:
    least, most = sizing.rto_s
    shares = "-".join(f"{share:.0%}" for share in sorted(set(sizing.compute_share)))
    cost = f"compute {shares}"
    if config.hourly_price is not None:
        low, high = sizing.monthly(config.hourly_price, config.engine_hosts)
        cost += f" ({low:.0f}-{high:.0f} a month)"
    certain = "" if sizing.is_certain else ", capacity not certain"
    return f"{sizing.mode}: takes over in {least}-{most} s{certain}, {cost}; engine {sizing.engine}"


def main(words: Sequence[str]) -> int:
    """Print the explanation; exit code 2 and one sentence for a wish that cannot be met."""
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write((__doc__ or "") + "\n")
        return 0
    try:
        text = "".join(f"{line}\n" for line in explained(words))
    except CoreError as error:
        sys.stderr.write(f"stacks.core: {error}\n")
        return 2
    with suppress(BrokenPipeError):  # the reader has seen enough
        sys.stdout.write(text)
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
