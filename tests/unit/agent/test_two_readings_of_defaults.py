"""GRUB's defaults, read by who stages a trial and by who proves the next boot: neither passes what the other
does not."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.boot.grub_adopt import DEFAULTS_TEXT
from agent.boot.menu_wait import defaults_fault
from agent.host import HostRoot
from checks.errors import CheckError
from checks.facts import Facts
from checks.grub_defaults import DEFAULTS, FOLDER, problem_of_defaults
from tests.unit.agent.boot_tree import put

NAME = st.sampled_from(["GRUB_DEFAULT", "GRUB_TIMEOUT", "GRUB_RECORDFAIL_TIMEOUT", "GRUB_CMDLINE_LINUX"])
VALUE = st.sampled_from(["0", "saved", "-1", "1", "5", "hft-good", "hft-candidate", "86400", "", "$X", "'5'"])
LINE = st.builds("{}={}".format, NAME, VALUE) | st.sampled_from(
    ["# GRUB_TIMEOUT=-1", "", "[ -e /x ] && GRUB_TIMEOUT=5", "if true; then", "fi", "export GRUB_DEFAULT=1"]
)
TEXT = st.lists(LINE, max_size=5).map("\n".join)
FILE = st.sampled_from(["10-a.cfg", "90-hft.cfg.old", "91-b.cfg", "90_c.cfg", "99-site.cfg", "Z.cfg"])


def is_doubted(files: dict[str, str]) -> bool:
    """Whether the checks would not pass these defaults."""
    try:
        return problem_of_defaults(Facts(files=files)) is not None
    except CheckError:
        return True


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(FILE, TEXT, max_size=3), TEXT)
def test_what_the_agent_refuses_the_checks_do_not_pass(foreign: dict[str, str], first: str) -> None:
    """And the reverse, where no file has a line behind which the checks are sure of nothing."""
    files = {f"{FOLDER}/90-hft.cfg": DEFAULTS_TEXT, DEFAULTS: first}
    files |= {f"{FOLDER}/{name}": text for name, text in foreign.items()}
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            put(Path(root), path, text)
        refusal = defaults_fault(HostRoot(root=root))
    is_plain = not any(word in text for text in files.values() for word in ("[ -e", "if true", "fi"))
    assert refusal is None or is_doubted(files), (files, refusal)
    assert not is_plain or (refusal is not None) == is_doubted(files), (files, refusal)
