"""A newcomer: an empty folder, an installed wheel, docs/tutorial.md word by word, three hosts behind sshd.

The hosts are made (bench/target.py) and were booted as planned, so that none of them has to restart.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.noop import settle
from bench.target import Target, open_target
from inventory.identity import fingerprint
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.documents import ENDS_AT_THE_FIRST_FAULT, blocks
from tests.support.fake_host import SMALL, make_host

PAGE = ROOT / "docs" / "tutorial.md"
NAMES = ("ny4-eng-1", "ny4-eng-2", "ny4-eng-3")
COMMANDS_MOST = 15
# Every name in the places where anything of ours could be, and what the files hold.
OURS = "for all in etc usr/local usr/lib/systemd var/lib boot root; do find /$all | sort; done; " + (
    "find /etc /usr/local /usr/lib/systemd/system /var/lib /boot /root -type f -exec sha256sum {} + | sort"
)
pytestmark = [pytest.mark.long, needs.namespaces()]


@pytest.fixture(scope="module")
def rack() -> Iterator[dict[str, Target]]:
    with ExitStack() as stack:
        made = {}
        for number, name in enumerate(NAMES, start=1):
            host = make_host(SMALL).with_files({"/etc/machine-id": f"{number:032x}\n"})
            made[name] = stack.enter_context(open_target(host))
            settle(made[name])
        yield made


def of_page(kind: str) -> str:
    """The one block of that kind, which the reader edits."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return str(found)


def written(rack: dict[str, Target], folder: Path) -> None:
    """What the page asks the reader to write: the same, with the addresses and keys of these hosts."""
    text = of_page("toml").replace("_deadline_s = 2.0", "_deadline_s = 60.0")
    for number, host in enumerate(rack.values(), start=1):
        way = f'address = "{host.address}"\nssh_port = {host.port}\nssh_key = "{host.key}"'
        text = text.replace(f'address = "192.0.2.1{number}"', way)
    (folder / "inventory.toml").write_text(text)
    shown = {line.split()[0] for line in of_page("text").splitlines()}
    assert shown == set(rack)
    lines = [f"{name} {fingerprint(host.host_key)}\n" for name, host in rack.items()]
    (folder / "consoles.txt").write_text("".join(lines))


def test_a_newcomer_tunes_a_rack_by_the_page(
    rack: dict[str, Target], installed: Path, tmp_path: Path
) -> None:
    chosen = [block for block in blocks() if block.tag == "rack"]
    commands = [line for block in chosen for line in block.body.splitlines()]
    assert len(commands) <= COMMANDS_MOST
    program = tmp_path / "bin" / "hft"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {installed}/bin/hft "$@"\n')
    program.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HFT_", "XDG_"))},
        "PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": str(installed),
        "HOME": str(tmp_path),
    }
    last = rack[NAMES[-1]]
    before, folder, said, began = last.run(OURS), tmp_path, {}, time.monotonic()
    for block in chosen:
        script = ENDS_AT_THE_FIRST_FAULT % block.exits + block.body + "true\n"
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", script],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.where} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        said[block.body.splitlines()[0]] = done.stdout + done.stderr
        if (tmp_path / "rack4").exists() and folder == tmp_path:
            folder = tmp_path / "rack4"
            written(rack, folder)
    print(f"{len(commands)} commands, {time.monotonic() - began:.1f} s", file=sys.stderr)
    assert (folder / "report.html").stat().st_size > 10_000
    assert "3 hosts: 3 applied" in "".join(said.values())
    assert [rack[name].run("cat /proc/sys/vm/swappiness").strip() for name in NAMES] == ["10", "10", "60"]
    assert last.run(OURS) == before, "nothing of ours is left on the host that was removed"
