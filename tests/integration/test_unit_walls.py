"""The guard of tests/unit bites: planted tests that start a process or use a socket fail, no others."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.support.checkout import ROOT
from tests.support.commands import called

GUARD = ROOT / "tests" / "unit" / "conftest.py"
WALL = "tests/unit starts no process and uses no socket"
HEAD = """
import os, socket, subprocess, threading
import pytest
from contextlib import suppress
AT_IMPORT = subprocess.run(["true"]).returncode  # a collection that looks for a program hurts nobody
"""
# What a test does -> the event that its failure names.
BARRED = {
    "subprocess.run(['true'])": "subprocess.Popen",
    "os.system('true')": "os.system",
    "os.fork() or os._exit(0)": "os.fork",
    "os.posix_spawn('/bin/true', ['true'], {})": "os.posix_spawn",
    "os.execv('/bin/true', ['true'])": "os.exec",
    "socket.socket().bind(('127.0.0.1', 0))": "socket.bind",
    "socket.socket().connect(('127.0.0.1', 1))": "socket.connect",
    "socket.socket(socket.AF_UNIX).bind(str(tmp_path / 'x'))": "socket.bind",
    "socket.socket(socket.AF_UNIX).connect(str(tmp_path / 'x'))": "socket.connect",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))": "socket.sendto",
    "socket.getaddrinfo('localhost', 1)": "socket.getaddrinfo",
    "threading.Thread(target=subprocess.run, args=(['true'],)).start()": "subprocess.Popen",
    "swallowing(lambda: subprocess.run(['true']))": "subprocess.Popen",
}
ALLOWED = ("socket.socketpair()[0].close()", "threading.Thread(target=int).start()", "assert AT_IMPORT == 0")
SWALLOWING = """
def swallowing(act):
    with suppress(BaseException):
        act()
"""
IN_A_FIXTURE = """
@pytest.fixture(scope="session")
def program():
    subprocess.run(["true"])

def test_by_its_fixture(program):
    pass

@pytest.fixture
def leaving():
    yield
    os.system("true")

def test_when_it_is_torn_down(leaving):
    pass
"""


def planted(folder: Path, *bodies: str) -> dict[str, str]:
    """What pytest says of each test in a room that has the guard; '' of one that passed."""
    shutil.copy(GUARD, folder / "conftest.py")
    tests = "".join(f"\ndef test_{number}(tmp_path):\n    {body}\n" for number, body in enumerate(bodies))
    (folder / "test_planted.py").write_text(HEAD + SWALLOWING + IN_A_FIXTURE + tests)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = ignore\n")
    report = folder / "report.xml"
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = called(*argv, f"--junitxml={report}", "--rootdir", folder, "-c", folder / "pytest.ini", folder)
    assert report.exists(), done.stdout + done.stderr
    told: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        said = " ".join(f"{one.get('message')}" for one in case if one.tag in ("failure", "error"))
        told[case.attrib["name"]] = told.get(case.attrib["name"], "") + said
    return told


def test_the_guard_fails_what_is_barred_by_its_name_and_nothing_else(tmp_path: Path) -> None:
    told = planted(tmp_path, *BARRED, *ALLOWED)
    of_bodies = [told[f"test_{number}"] for number in range(len(BARRED) + len(ALLOWED))]
    by_body = dict(zip((*BARRED, *ALLOWED), of_bodies, strict=True))
    missed = {
        body
        for body, event in BARRED.items()
        if f"{WALL} (tests/integration may): {event} " not in by_body[body]
    }
    assert not missed
    assert {body: by_body[body] for body in ALLOWED} == dict.fromkeys(ALLOWED, "")
    assert WALL in told["test_by_its_fixture"], "fixtures of any scope are watched"
    assert WALL in told["test_when_it_is_torn_down"], "and the tear-down"
