"""One file over HTTP, for as long as a BMC fetches it: what virtual media is given as is an address.

The path is random, so that nobody else on that network meets it by chance; what is served has nothing in it
that is secret, and what the disk holds afterwards is compared with what was sent, by digest.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from stacks.errors import StackError

REQUEST_S = 60.0


@contextmanager
def served(file: Path, address: str) -> Iterator[str]:
    """Serve FILE at ADDRESS, one of this machine's that the BMC can reach; gives its URL."""
    path = f"/{secrets.token_urlsafe(16)}/{file.name}"

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_S

        def do_GET(self) -> None:
            if self.path != path:
                self.send_error(404)
                return
            with file.open("rb") as content:
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(file.stat().st_size))
                self.end_headers()
                shutil.copyfileobj(content, self.wfile, 1 << 20)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Not on the operator's screen."""

    try:
        server = ThreadingHTTPServer((address, 0), Handler)
    except OSError as error:
        raise StackError(f"cannot serve the installer at {address}: {error.strerror}") from error
    thread = Thread(target=server.serve_forever, name="medium")
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}{path}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
