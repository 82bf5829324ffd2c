"""A TCP connection that can be cut: what is sent meanwhile waits, and arrives when it is mended.

Neither end is told: no reset, no end of stream. That is what a pulled cable looks like to both of them.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress


class Cable:
    """Listens at HOST and carries every connection to PORT there, while it is whole."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._whole = threading.Event()
        self._whole.set()
        self._is_over = False
        self._selector = selectors.DefaultSelector()
        self._other: dict[socket.socket, socket.socket] = {}
        self._server = socket.create_server((host, 0))
        self.port: int = self._server.getsockname()[1]
        self._selector.register(self._server, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """From now on nothing passes."""
        self._whole.clear()

    def mend(self) -> None:
        """What has waited arrives."""
        self._whole.set()

    def close(self) -> None:
        """Both ends of everything."""
        self._is_over = True
        self._whole.set()
        self._thread.join(10)
        for one in (*self._other, self._server):
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select(0.05):
                if not self._whole.wait(0.05):
                    break
                self._serve(key.fileobj)  # type: ignore[arg-type]
            if not self._whole.is_set():
                time.sleep(0.001)

    def _serve(self, one: socket.socket) -> None:
        if one is self._server:
            return self._accept()
        if one not in self._other:
            return None
        try:
            piece = one.recv(65536)
        except OSError:
            piece = b""
        with suppress(OSError):
            if piece:
                return self._other[one].sendall(piece)
        return self._drop(one)

    def _accept(self) -> None:
        near, _ = self._server.accept()
        try:
            far = socket.create_connection(self._to, timeout=10)
        except OSError:
            return near.close()
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.settimeout(10)
            self._other[one] = other
            self._selector.register(one, selectors.EVENT_READ)
        return None

    def _drop(self, one: socket.socket) -> None:
        for end in (one, self._other[one]):
            self._selector.unregister(end)
            del self._other[end]
            end.close()
