"""A local command whose output and time are bounded before anything of it is kept.

What a host prints is data from a machine that may be broken or hostile: without a bound one flood, times all
hosts that are asked side by side, ends the controller.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from checks.errors import CheckError

OUTPUT_CAP = 16 * 1024 * 1024
_CHUNK = 65536


def run_bounded(argv: Sequence[str], *, stdin: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
    """Exit code, standard output, standard error; CheckError past OUTPUT_CAP bytes of either.

    Raises subprocess.TimeoutExpired as subprocess.run does; the child is ended in each case.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        got = (bytearray(), bytearray())
        threads = [
            threading.Thread(target=_drain, args=(child, child.stdout, got[0]), daemon=True),
            threading.Thread(target=_drain, args=(child, child.stderr, got[1]), daemon=True),
            threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            child.wait(timeout=timeout_s)
        finally:
            if child.poll() is None:
                child.kill()
            for thread in threads[:2]:
                thread.join(timeout=5)
    if max(map(len, got)) > OUTPUT_CAP:
        raise CheckError(
            f"more than {OUTPUT_CAP // 1024 // 1024} MiB came where an answer was due; it was cut"
        )
    return child.returncode, bytes(got[0]), bytes(got[1])


def _drain(child: subprocess.Popen[bytes], stream: IO[bytes], got: bytearray) -> None:
    with suppress(OSError, ValueError):  # closed under us when the child was ended
        while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]  # the pipe is buffered
            got += chunk
            if len(got) > OUTPUT_CAP:
                child.kill()
                return


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(OSError, ValueError):  # a command that reads no more says why by its exit code
        stream.write(data)
        stream.close()
