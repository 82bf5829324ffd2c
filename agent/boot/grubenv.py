"""The GRUB environment block: 1,024 bytes that both GRUB and the agent write.

GRUB writes it in place through its block list before any file system is mounted, so we never replace the
file and never change its size: one pwrite(2) of the whole block, then fsync(2). The block is `# GRUB
Environment Block`, lines `name=value` with backslash escapes, and `#` up to the last byte (GRUB manual,
"The GRUB environment block")."""

from __future__ import annotations

import os
from collections.abc import Mapping

from agent.errors import RefusedError
from agent.host import HostRoot

GRUBENV = "/boot/grub/grubenv"
SIZE = 1024
SIGNATURE = b"# GRUB Environment Block\n"


def parse(block: bytes) -> dict[str, str]:
    """The variables of a block; ValueError with the reason when GRUB would not accept it."""
    if len(block) != SIZE:
        raise ValueError(f"{GRUBENV} has {len(block)} bytes instead of {SIZE}")
    if not block.startswith(SIGNATURE):
        raise ValueError(f"{GRUBENV} does not begin with GRUB's signature")
    found: dict[str, str] = {}
    for line in _lines(block[len(SIGNATURE) :].decode("utf-8", errors="surrogateescape")):
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            found[name] = value
    return found


def _lines(text: str) -> list[str]:
    """Lines, escapes resolved: two backslashes are one, an escaped newline belongs to the value."""
    lines, current, escaped = [], "", False
    for char in text:
        if escaped:
            current, escaped = current + char, False
        elif char == "\\":
            escaped = True
        elif char == "\n":
            lines.append(current)
            current = ""
        else:
            current += char
    return lines


def render(variables: Mapping[str, str]) -> bytes:
    """The block that holds these variables; ValueError when they do not fit."""
    body = b"".join(f"{name}={_escaped(value)}\n".encode() for name, value in variables.items())
    block = SIGNATURE + body
    if len(block) > SIZE:
        raise ValueError(f"{GRUBENV} would need {len(block)} bytes, but has {SIZE}")
    return block.ljust(SIZE, b"#")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\\n")


def changed(block: bytes, changes: Mapping[str, str | None]) -> bytes:
    """The block after `changes`; None removes a variable, all others keep their value and position."""
    variables = parse(block)
    for name, value in changes.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    return render(variables)


def check_room(host: HostRoot, **variables: str) -> None:
    """RefusedError unless the block could hold all VARIABLES beside what it holds; writes nothing."""
    held = load(host)
    try:
        render(held | variables)
    except ValueError as error:
        reason = f"{error}; remove variables that nobody uses: grub-editenv {GRUBENV} unset NAME"
        raise RefusedError("preflight", reason) from error


def load(host: HostRoot) -> dict[str, str]:
    """The variables of the host's block; RefusedError when GRUB could not use it."""
    try:
        with host.open(GRUBENV) as stream:
            return parse(stream.read(SIZE + 1))
    except FileNotFoundError as error:
        raise RefusedError(
            "preflight", f"{GRUBENV} is missing, so GRUB cannot clear a one-shot entry"
        ) from error
    except ValueError as error:
        raise RefusedError("preflight", f"{error}; run: grub-editenv {GRUBENV} create") from error


def update(host: HostRoot, **changes: str | None) -> None:
    """Change variables in place and durably, then read them back from the file."""
    fd = os.open(host.path(GRUBENV), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        block = changed(os.pread(fd, SIZE + 1, 0), changes)
        os.pwrite(fd, block, 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    now = load(host)
    wrong = [name for name, value in changes.items() if now.get(name) != value]
    if wrong:
        raise OSError(f"{GRUBENV}: {', '.join(wrong)} did not read back as written")
