"""`python3 -m engine.ticket`: run the issuer, move the epoch, sign limits.

serve CONFIG SOCKET                          issue tickets on a Unix socket until killed
epoch FILE                                   print the current fence record
advance FILE KEY SEEN HOLDER APPROVED.json   the next epoch for HOLDER (compare-and-swap against SEEN)
limits DOCUMENT.json FILE KEY                sign limits, serial must rise

Exit codes: 0 done, 64 configuration or refused, 75 the epoch moved (read it again, decide again).
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

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
        is_moved = isinstance(error, TicketError) and error.code == "epoch_moved"
        return EXIT_RETRY if is_moved else EXIT_CONFIG


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
            runs = tuple(Approval(**entry) for entry in json.loads(Path(approved).read_bytes()))
            source = FileEpochSource(path=Path(path), key=Path(key))
            print(json.dumps(source.advance(int(seen), holder, runs).message()))
        case ["limits", document, path, key]:
            sign_limits(json.loads(Path(document).read_bytes()), Path(path), Path(key))
        case ["--help" | "-h"]:
            print(__doc__)
        case _:
            print(__doc__, file=sys.stderr)
            return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
