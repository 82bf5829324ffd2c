"""The boot menu before GRUB's own parser."""

from __future__ import annotations

import subprocess
from dataclasses import replace

from agent.boot import grub
from tests.support import needs
from tests.support.boot_menus import TXN, candidate, menu


@needs.programs("grub-script-check")
def test_grubs_own_parser_takes_the_menu() -> None:
    text = grub.render(
        replace(menu(candidate=candidate()).promoted(TXN), candidate=candidate("20261121T1-1"))
    )
    done = subprocess.run(["grub-script-check"], input=text, text=True, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
