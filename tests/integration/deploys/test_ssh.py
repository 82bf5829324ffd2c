"""The strict transport against a real sshd."""

from __future__ import annotations

import dataclasses
import shlex
import socket
import threading
import time
from typing import Any

import pytest

from transport import child
from transport.errors import FloodError, HostError, NotEnrolledError, SlowError, UnreachableError
from transport.known_hosts import known_hosts_text
from transport.sanitize import printable
from transport.ssh import Ssh

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"


def test_argv_reaches_the_remote_program_word_by_word(sshd: Any) -> None:
    words = ["a b", "$(id)", "'", '"', ";", "*", "", "\\", "é"]
    done = Ssh.of(sshd).run(["printf", "%s\\n", *words], timeout_s=20)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, words, "")


def test_stdin_and_exit_code_travel(sshd: Any) -> None:
    payload = bytes(range(256)) * 4096  # beyond any pipe buffer
    done = Ssh.of(sshd).run(["sh", "-c", "wc -c; exit 6"], stdin=payload, timeout_s=20)
    assert (done.returncode, done.stdout.strip()) == (6, str(len(payload)))


def test_each_run_is_a_new_connection(sshd: Any) -> None:
    before = sshd.connections()
    for _ in range(2):
        Ssh.of(sshd).run(["true"], timeout_s=20)
    assert sshd.connections() - before == 2


def test_other_host_key_is_refused_before_anything_runs(sshd: Any) -> None:
    before = sshd.commands()
    impostor = dataclasses.replace(sshd, host_keys=(OTHER_KEY,))
    with pytest.raises(
        UnreachableError, match=r"target: .*other than the enrolled one.* hft host enrol target"
    ):
        Ssh.of(impostor).run(["true"], timeout_s=20)
    assert sshd.commands() == before


def test_jump_host_is_passed_and_held_to_the_same_rules(sshd: Any) -> None:
    before = sshd.connections()
    behind = dataclasses.replace(sshd, jump=dataclasses.replace(sshd, name="bastion"))
    assert Ssh.of(behind).run(["echo", "a b"], timeout_s=30).stdout == "a b\n"
    assert sshd.connections() - before == 2  # the bastion's, and through it the target's
    impostor = dataclasses.replace(sshd, name="bastion", host_keys=(OTHER_KEY,))
    with pytest.raises(UnreachableError, match=r"target: .*it, or bastion on the way, presents a host key"):
        Ssh.of(dataclasses.replace(sshd, jump=impostor)).run(["true"], timeout_s=30)
    nobody = dataclasses.replace(sshd, name="bastion", host_keys=())
    with pytest.raises(NotEnrolledError, match="bastion: not enrolled"):
        Ssh.of(dataclasses.replace(sshd, jump=nobody))


def test_how_far_a_slow_call_got_is_known_and_a_jump_host_s_connection_is_not_the_host_s(sshd: Any) -> None:
    with socket.socket() as mute:  # it takes connections and never says a word
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        there = dataclasses.replace(sshd, ssh_port=mute.getsockname()[1])
        behind = dataclasses.replace(there, jump=dataclasses.replace(sshd, name="bastion"))
        for host, begun, connected, words in (
            (sshd, True, True, "let us in, and did not answer within 1 s"),
            (there, False, True, "took the connection, and let nobody in within 3 s"),
            (behind, False, False, "no answer from 127.0.0.1"),
        ):
            with pytest.raises(SlowError, match=words) as caught:
                Ssh.of(host).run(["sleep", "20"], timeout_s=1, login_s=3)
            assert (caught.value.has_begun, caught.value.is_connected) == (begun, connected)


def test_host_without_pinned_key_is_refused(sshd: Any) -> None:
    with pytest.raises(NotEnrolledError, match="not enrolled, so nothing was sent"):
        Ssh.of(dataclasses.replace(sshd, host_keys=()))


def test_closed_port_names_host_and_port(sshd: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(UnreachableError, match=f"target: cannot reach 127.0.0.1 port {port}: .*refused"):
            Ssh.of(dataclasses.replace(sshd, ssh_port=port)).run(["true"], timeout_s=20)


def test_half_dead_host_is_given_up_at_the_deadline(sshd: Any) -> None:
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"target: no answer .* within 1 s"):
        Ssh.of(sshd).run(["sleep", "4"], timeout_s=1)
    assert time.monotonic() - started < 3


def test_flood_is_cut(sshd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "OUTPUT_CAP", 1 << 20)
    with pytest.raises(FloodError, match="target: sent more than"):
        Ssh.of(sshd).run(["sh", "-c", "head -c 50000000 /dev/zero"], timeout_s=20)


def test_remote_that_stops_reading_is_no_error_of_ours(sshd: Any) -> None:
    done = Ssh.of(sshd).run(["sh", "-c", "exec 0<&-; echo done"], stdin=b"x" * 3_000_000, timeout_s=20)
    assert done.stdout == "done\n"


def test_threads_share_nothing(sshd: Any) -> None:
    seen: list[str] = []
    calls = [
        threading.Thread(
            target=lambda n=n: seen.append(Ssh.of(sshd).run(["echo", str(n)], timeout_s=30).stdout)
        )
        for n in range(4)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert sorted(seen) == ["0\n", "1\n", "2\n", "3\n"]


def test_no_lenient_option_survives(sshd: Any) -> None:
    text = shlex.join(Ssh.of(sshd).argv(["true"]))
    for wanted in (
        "-F none",
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ForwardAgent=no",
        "ControlPath=none",
    ):
        assert wanted in text


@pytest.mark.parametrize("name", ["*", "a,b", "-x", "a b", "a\nb", "@cert-authority", ""])
def test_known_hosts_refuses_names_that_are_patterns(name: str) -> None:
    with pytest.raises(HostError):
        known_hosts_text(name, [OTHER_KEY])


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 AAAA\n* ssh-ed25519 AAAA", "x y", "# c"])
def test_known_hosts_refuses_keys_that_are_not_one_line(key: str) -> None:
    if "\n" in key:  # only the first two words count, so a second line cannot ride along
        assert known_hosts_text("h", [key]).count("\n") == 1
    else:
        with pytest.raises(HostError):
            known_hosts_text("h", [key])


def test_printable_takes_out_terminal_and_bidi_controls() -> None:
    assert printable("a\x1b]0;title\x07b\u202ec\u200fd\r\ne\tf\x00\x9b") == "a]0;titlebcd\ne\tf"
    assert printable("x" * 50, limit=10) == "x" * 10 + " [cut]"
