"""The narrow way in: what a key that reaches only the agent may have done, as sshd(8)'s forced command.

    restrict,command="/usr/bin/python3 -I -S /usr/local/lib/hft/agent.pyz gate" ssh-ed25519 AAAA...

sshd hands the asked-for command line over in SSH_ORIGINAL_COMMAND and starts this instead. It lets through
the agent's own verbs, whose documents agent/border.py and agent/narrow.py hold to what plans and deploys
render, and the scripts that only look, each by the SHA-256 of its whole text in /etc/hft/gate.json, which
root has put there from `hft gate`; programs that are brought are known by theirs. Everything else is refused
by what it is: a shell, a copy, another program, another script.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.host import HostRoot
from agent.narrow import NARROW, SCRIPTS, listed
from agent.paths import LIB_DIR, PYTHON

AGENT = (PYTHON, "-I", "-S", f"{LIB_DIR}/agent.pyz")
SUDO = ("sudo", "-n", "--")
VERBS = frozenset(
    ("apply", "preflight", "recover", "revert", "status", "confirm", "reboot", "selftest", "version")
)
HELD = frozenset(("apply", "preflight"))  # their documents are held to agent/narrow.py
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}|--(?:drained|wait)")
ARGUMENT = re.compile(r"/|[0-9]{1,6}(?:\.[0-9]{1,3})?")
COMMAND_MAX, SCRIPT_MAX = 1 << 17, 1 << 20
REFUSED = 126  # as a shell says of what it may not execute


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What to run: a verb of the agent, or a script that stands on the list."""

    verb: tuple[str, ...] = ()
    script: bytes = b""
    arguments: tuple[str, ...] = ()


def gate(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `gate`: run what SSH_ORIGINAL_COMMAND asks for, if it may."""
    del argv
    asked = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    chosen = decide(
        asked, listed(host, SCRIPTS), sys.stdin.buffer.read if is_script_on_stdin(asked) else None
    )
    if chosen is None:
        what = " ".join(asked.split()[:4])[:60].encode("ascii", "backslashreplace").decode()
        print(f"hft: this key reaches the agent alone, and not: {what or 'a shell'}", file=sys.stderr)
        return REFUSED
    if chosen.verb:
        from agent.__main__ import main

        held = [NARROW] if chosen.verb[0] in HELD else []
        return main([*([] if host.is_live else ["--root", host.root]), *chosen.verb, *held])
    words = ["/bin/sh", "-s", "--", *chosen.arguments]
    return subprocess.run(words, input=chosen.script, check=False, env=environment(os.environ)).returncode


def decide(asked: str, scripts: frozenset[str], read: Callable[[int], bytes] | None = None) -> Allowed | None:
    """What a command line asks for, None for what it may not; READ brings a script from standard input."""
    words = split(asked)
    if tuple(words[:4]) == AGENT and len(words) > 4 and words[4] in VERBS:
        return Allowed(verb=words[4:]) if all(WORD.fullmatch(word) for word in words[5:]) else None
    script, arguments = b"", words[3:]
    if words[:2] == ("sh", "-c") and len(words) == 3:
        script, arguments = words[2].encode("utf-8", "surrogateescape"), ()
    elif words[:3] == ("sh", "-s", "--") and read is not None:
        script = read(SCRIPT_MAX)
    good = script and hashlib.sha256(script).hexdigest() in scripts
    if good and all(ARGUMENT.fullmatch(word) for word in arguments):
        return Allowed(script=script, arguments=arguments)
    return None


def split(asked: str) -> tuple[str, ...]:
    """The words of a command line without sudo's; none for what no shell would split so."""
    if len(asked) > COMMAND_MAX:
        return ()
    try:
        words = tuple(shlex.split(asked))
    except ValueError:
        return ()
    return words[len(SUDO) :] if words[: len(SUDO)] == SUDO else words


def is_script_on_stdin(asked: str) -> bool:
    """Whether the script itself is on standard input."""
    return split(asked)[:3] == ("sh", "-s", "--")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What a script of ours needs, and nothing that changes what its words mean."""
    kept = {name: given[name] for name in ("SSH_CONNECTION",) if name in given}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **kept}
