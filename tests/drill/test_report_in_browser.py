"""The report in a browser: nothing sticks out at four widths, and axe-core finds nothing, light and dark.

axe-core is a program of npm and nothing of ours: `npm install axe-core` anywhere, then
`HFT_AXE=node_modules/axe-core/axe.min.js`. Without it, or without Chromium, these are skipped.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from checks.expected import read_plan
from checks.layout import Cache, Device, Layout
from checks.page import page_of
from checks.suite import HostResult
from checks.verdict import ok, unverifiable, violated
from tests.cases.machines import CASES, machine
from tests.support import needs
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.topology.reader import read_topology

pytestmark = [pytest.mark.drill, needs.programs("chromium")]
WIDTHS = (400, 700, 1000, 1600)
SCHEMES = {"dark": 0, "light": 1}  # blink's PreferredColorScheme
AXE = os.environ.get("HFT_AXE", "")


def report() -> str:
    """Three hosts: two that were judged, of several nodes and caches, and one that is dark."""
    results = [judged("two-sockets-nic-on-node-1"), judged("eight-core-caches")]
    silent = HostResult(
        host="dark", started_at="", unreachable="no answer from 192.0.2.14 port 22 within 10 s"
    )
    about = {"hft": "0.1.0", "inventory": "/srv/" + "rack/" * 12 + "site.toml", "by": "alice@ops1"}
    return page_of("ny4", [*results, silent], about)


def judged(kind: str) -> HostResult:
    made = plan(read_topology(machine(CASES[kind])), ENGINE)
    found = (
        ok("plan.hash", "the committed plan", why="what is judged is what was applied"),
        violated("effect.cpu3.timer", "timer_interrupts", "207 ticks", expected="<= 5", observed="2" * 90),
        unverifiable("setting." + "x" * 60, "not_read", "the host's answer does not contain this value"),
    )
    every = [one.cpu for one in made.cpus]
    caches = tuple(
        Cache(level=3, size="32768K", cpus=frozenset(every[at : at + 8])) for at in range(0, len(every), 8)
    )
    card = Device(name="enp65s0f0np0", node=0, state="up", interrupts={40: frozenset(every[::2])})
    return HostResult(
        host=kind, started_at="2026", findings=found, expected=read_plan(made.to_json()), tuned=True,
        kernel="6.1.0-44-rt-amd64", layout=Layout(caches=caches, devices=(card,), load={0: 128}),
    )  # fmt: skip


def seen(page: str, script: str, folder: Path, scheme: int) -> Any:
    """What SCRIPT, which sets `seen`, finds on PAGE in Chromium."""
    path = folder / "page.html"
    told = "document.getElementById('seen').textContent = JSON.stringify(seen)"
    body = f"<pre id=seen></pre><script>{script.replace('DONE', told)}</script></body>"
    path.write_text(page.replace("</body>", body))
    argv = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"),
        *(f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=20000", "--dump-dom"),
    ]
    done = subprocess.run([*argv, path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    (text,) = re.findall(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S)
    return json.loads(html.unescape(text))


def test_nothing_sticks_out_of_a_page_of_any_width(tmp_path: Path) -> None:
    frames = "".join(
        f'<iframe width={width} height=900 srcdoc="{html.escape(report())}"></iframe>' for width in WIDTHS
    )
    script = """onload = () => { const seen = [...document.querySelectorAll('iframe')].map(
      (one) => [one.clientWidth, one.contentDocument.documentElement.scrollWidth,
        [...one.contentDocument.querySelectorAll('.findings')].filter(
          (table) => table.parentElement.scrollWidth > table.parentElement.clientWidth).length]); DONE }"""
    outer = f"<!doctype html><html><body>{frames}</body></html>"
    found = seen(outer, script, tmp_path, SCHEMES["light"])
    assert [width for width, _, _ in found] == [*WIDTHS]
    assert [one for one in found if one[1] > one[0]] == []
    assert [one for one in found if one[2]] == [], "a finding is cut off at that width"


@pytest.mark.skipif(not Path(AXE or "-").is_file(), reason="HFT_AXE names no axe.min.js of axe-core")
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_axe_finds_nothing(scheme: str, tmp_path: Path) -> None:
    script = f"""{Path(AXE).read_text() if AXE else ""};
      axe.run().then((found) => {{ const seen = found.violations.map((one) => [one.id, one.nodes.length,
        one.nodes[0].html.slice(0, 200)]); DONE }})"""
    assert seen(report(), script, tmp_path, SCHEMES[scheme]) == []
