"""Who is at the keyboard, as far as the kernel knows; what only the environment says is marked as such.

An environment variable is whatever the caller writes, so SUDO_USER, LOGNAME and USER name nobody. The kernel
knows the real uid, getuid(2), and where PAM sets it (pam_loginuid(8)) the account that logged in, which sudo
does not change. Only for root is there anything to add: for whom it acts.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from pathlib import Path

_LOGIN = Path("/proc/self/loginuid")
_NOBODY = 2**32 - 1  # no login: a service, a container
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def operator() -> str:
    """`alice@ops1`; for root `root (login alice)@ops1`, or `root (sudo says alice)@ops1` without a login."""
    return f"{_name(os.getuid())}{_behind_root()}@{socket.gethostname()}"


def _behind_root() -> str:
    if os.getuid() != 0:
        return ""
    login, said = _login_uid(), os.environ.get("SUDO_USER", "")
    if login not in (0, _NOBODY):
        return f" (login {_name(login)})"
    return f" (sudo says {said})" if _ACCOUNT.fullmatch(said) else ""


def _login_uid() -> int:
    try:
        return int(_LOGIN.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _NOBODY


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid{uid}"
