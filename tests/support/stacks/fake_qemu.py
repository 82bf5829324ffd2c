"""A stand-in for QEMU where a test is about who switches what, and not about a guest.

It takes QEMU's command line, becomes a daemon with its pid file and monitor, and then does what a machine
would that boots from where that line says. From a medium: what is on it is the list of lines for the console,
after which it is off. From the disk: it stays on until somebody ends it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from itertools import pairwise
from pathlib import Path


def main(argv: list[str]) -> None:
    options = {flag: value for flag, value in pairwise(argv) if flag.startswith("-")}
    text = " ".join(argv)
    if os.fork():
        wait_for(Path(options["-pidfile"]))
        return
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    monitor = socket.socket(socket.AF_UNIX)
    address = options["-qmp"].removeprefix("unix:").partition(",")[0]
    Path(address).unlink(missing_ok=True)
    monitor.bind(address)
    monitor.listen()
    Path(options["-pidfile"]).write_text(f"{os.getpid()}\n")
    medium = re.search(r"media=cdrom,readonly=on,file=([^, ]+)", text)
    if medium and re.search(r"ide-cd,\S*bootindex=0", text):
        console = re.search(r"file,id=console,path=([^, ]+)", text)
        assert console
        install(Path(medium[1]), Path(console[1]), smt="1" if "threads=2" in text else "0")
        return
    until_powered_down(monitor)


def wait_for(path: Path) -> None:
    while not path.exists() or not path.read_text().strip():
        time.sleep(0.01)


def install(medium: Path, console: Path, *, smt: str) -> None:
    time.sleep(0.5)  # somebody has to see it running
    with console.open("a") as out:
        for line in json.loads(medium.read_text()):
            out.write(line.replace("%SMT%", smt) + "\n")
            out.flush()
    time.sleep(0.5)


def until_powered_down(monitor: socket.socket) -> None:
    while True:
        connection, _ = monitor.accept()
        with connection, connection.makefile("rw") as stream:
            stream.write('{"QMP": {}}\n')
            stream.flush()
            for line in stream:
                stream.write('{"return": {}}\n')
                stream.flush()
                if json.loads(line)["execute"] == "system_powerdown":
                    return


if __name__ == "__main__":
    main(sys.argv[1:])
