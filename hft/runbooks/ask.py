"""Asking a program by its admin socket: JSON lines over a Unix socket, here or by SSH on its host.

Every question has one deadline for everything: connecting, sending, all answers. A program that drips bytes,
answers half a line or nothing at all costs no more than that. What comes back is data: it is parsed within
bounds and believed no more than any other document.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hft.runbooks.cluster import Program
from transport.errors import HostError
from transport.sanitize import printable
from transport.ssh import Ssh
from tuning.strict_json import ShapeError, parse

ANSWER_MAX = 1 << 24
LEAST_S = 0.05
# Arguments: socket, seconds, lines to wait for. Requests on standard input, answers on standard output.
REMOTE = """
import socket, sys, time
path, end, due = sys.argv[1], time.monotonic() + float(sys.argv[2]), int(sys.argv[3])
try:
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(float(sys.argv[2]))
    link.connect(path)
    link.sendall(sys.stdin.buffer.read())
    got = b""
    while got.count(b"\\n") < due and len(got) < 1 << 24:
        link.settimeout(max(0.05, end - time.monotonic()))
        piece = link.recv(65536)
        if not piece: break
        got += piece
    sys.stdout.buffer.write(got)
except OSError as error:
    sys.exit(path + ": " + (error.strerror or str(error)))
"""


class SilentError(Exception):
    """A program that gave no usable answer; the message says why, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One or more requests to one program."""

    to: Program
    requests: Sequence[Mapping[str, object]]
    patience_s: float


def ask(question: Question) -> list[dict[str, Any]]:
    """The answers, in order; SilentError when one of them did not come or is none."""
    if question.to.unknown:
        raise SilentError(question.to.unknown)
    data = b"".join(json.dumps(one).encode() + b"\n" for one in question.requests)
    due = len(question.requests)
    raw = _here(question, data, due) if question.to.host is None else _there(question, data, due)
    lines = raw.split(b"\n")[:-1]
    if len(lines) < due:
        raise SilentError("the answer is cut off")
    try:
        found = [parse(line, size_max=ANSWER_MAX) for line in lines[:due]]
    except ShapeError as error:
        raise SilentError(f"the answer is no JSON: {error}") from error
    answers = [one for one in found if isinstance(one, dict)]
    if len(answers) < due:
        raise SilentError("the answer is no JSON object")
    return answers


def _here(question: Question, data: bytes, due: int) -> bytes:
    end = time.monotonic() + question.patience_s
    got = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(question.patience_s)
            link.connect(question.to.admin_socket)
            link.sendall(data)
            while got.count(b"\n") < due and len(got) <= ANSWER_MAX:
                left_s = end - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                link.settimeout(left_s)
                piece = link.recv(65536)
                if not piece:
                    break
                got += piece
    except TimeoutError as error:
        raise SilentError(f"no answer within {question.patience_s:g} s") from error
    except OSError as error:
        raise SilentError(error.strerror or str(error)) from error
    return bytes(got)


def _there(question: Question, data: bytes, due: int) -> bytes:
    assert question.to.host is not None
    ssh = Ssh.of(question.to.host)
    words = ["python3", "-c", REMOTE, question.to.admin_socket, f"{question.patience_s:g}", str(due)]
    try:
        done = ssh.run(ssh.as_root(words), stdin=data, timeout_s=question.patience_s)
    except HostError as error:
        raise SilentError(str(error)) from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SilentError(printable(last[0]))
    return done.stdout.encode()


def signal_unit(program: Program, patience_s: float) -> None:
    """SIGUSR1 to a service on its host, the kill that needs no socket; SilentError when it failed."""
    if program.host is None:
        raise SilentError(program.unknown or "no host is named")
    ssh = Ssh.of(program.host)
    words = ["systemctl", "kill", "--signal=SIGUSR1", program.unit]
    try:
        done = ssh.run(ssh.as_root(words), timeout_s=patience_s)
    except HostError as error:
        raise SilentError(str(error)) from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SilentError(printable(last[0]))


def refusal(answer: Mapping[str, Any]) -> str:
    """Why a program refused, in its own code and words."""
    return f"{answer.get('code', 'no code')}: {answer.get('detail', 'no reason given')}"
