"""The benchmarks as programs: progress on standard error, an ending that cleans up and has its code."""

from __future__ import annotations

import sys
import time

import click

from bench.errors import FAILED, INTERRUPTED, BenchError
from bench.target import end_like_interrupt

_STARTED = time.monotonic()


def tell(sentence: str) -> None:
    """One line of progress on standard error, with the seconds since the start."""
    print(f"[bench {time.monotonic() - _STARTED:4.0f}s] {sentence}", file=sys.stderr, flush=True)


def run_to_exit_code(command: click.Command, *, gone: str) -> int:
    """The whole program; a signal ends it through the same clean-up as Ctrl-C, after which GONE are gone."""
    end_like_interrupt()
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print(f"bench: interrupted; its {gone} are gone", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else FAILED
