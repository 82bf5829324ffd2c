"""`python3 -m engine.ticket`: run the issuer, move the epoch, sign limits.

serve CONFIG SOCKET                          issue tickets on a Unix socket until killed
epoch FILE                                   print the current fence record
advance FILE KEY SEEN HOLDER APPROVED.json   the next epoch for HOLDER (compare-and-swap against SEEN)
limits DOCUMENT.json FILE KEY                sign limits; the serial must rise

Exit codes: 0 done, 64 configuration or refused, 75 the epoch has changed (read it again, decide again), or
another issuer serves on this socket.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from engine.contract.canonical import parse
from engine.ticket.daemon import listen, load_host, serve
from engine.ticket.epoch import Approval, FileEpochSource
from engine.ticket.errors import TicketError
from engine.ticket.limits import sign_limits

EXIT_CONFIG = 64
EXIT_RETRY = 75


def main(argv: list[str]) -> int:
    """Run one verb."""
    try:
        return run(argv)
    except (TicketError, OSError, ValueError, TypeError) as error:
        print(f"ticket: {error}", file=sys.stderr)
        may_pass = isinstance(error, TicketError) and error.code in ("epoch_moved", "owned")
        return EXIT_RETRY if may_pass else EXIT_CONFIG


def run(argv: list[str]) -> int:
    """The verbs; an unknown one prints the list."""
    match argv:
        case ["serve", config, socket_path]:
            logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
            load_host(Path(config))
            serve(listen(Path(socket_path)), lambda: load_host(Path(config)))
        case ["epoch", path]:
            current = FileEpochSource(path=Path(path), key=Path("/nonexistent")).read()
            print(json.dumps(current.message() if current else None))
        case ["advance", path, key, seen, holder, approved]:
            entries: Any = parse(Path(approved).read_bytes())
            runs = tuple(Approval(**entry) for entry in entries)
            source = FileEpochSource(path=Path(path), key=Path(key))
            print(json.dumps(source.advance(int(seen), holder, runs).message()))
        case ["limits", document, path, key]:
            limits: Any = parse(Path(document).read_bytes())
            sign_limits(limits, Path(path), Path(key))
        case ["--help" | "-h"]:
            print(__doc__)
        case _:
            print(__doc__, file=sys.stderr)
            return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
