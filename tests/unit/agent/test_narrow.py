"""What a key that reaches the agent alone may bring: all that is rendered, and no line of anybody else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import border, narrow
from agent.document import Document, FileStep
from agent.errors import RefusedError
from agent.host import HostRoot
from deploys.slot.config import PolledPort
from deploys.slot.files import slot_files
from deploys.slot.unit import ticket_unit
from hft.verbs.gate import programs
from tests.support.border_steps import SIGNED, steps_of_deploys, steps_of_plans
from tests.support.engine.units import UNITS, unit
from tests.unit.agent import boot_tree
from tuning.plan.taken_back import TABLE
from tuning.plan.validity import VALID

UNIT_DIR = "/etc/systemd/system"
ENGINE = f"{UNIT_DIR}/hft-engine-a.service"
POLLED = [PolledPort(pci="0000:41:00.1", address="10.77.2.11")]


def rendered() -> Iterator[tuple[str, bytes]]:
    """Path and content of every file that plans and deploys write."""
    for step in (*steps_of_plans(), *steps_of_deploys()):
        if step["kind"] == "file" and step.get("content") is not None:
            yield step["path"], step["content"].encode()
    for name in UNITS:
        yield ENGINE, unit(name).encode()
        yield ENGINE, unit(name, polled=POLLED, management=("eno1", "52:54:00:AB:cd:ef")).encode()
    for file in slot_files("a", unit=unit("lab"), config=b"{}", limits=SIGNED, ticket=b""):
        if file.path not in narrow.DOCUMENTS:
            yield file.path, file.content


RENDERED = dict(rendered())  # of each path the last one
EVERY = sorted({(path, content) for path, content in rendered()})
TEXTS = sorted(
    path
    for path in RENDERED
    if path in {narrow.SYSCTL_CONF, narrow.TMPFILES_CONF}
    or any(re.fullmatch(pattern, path) for pattern, _ in narrow.INIS)
)


def test_whatever_a_plan_or_a_deploy_renders_may_stand_there() -> None:
    listed = {hashlib.sha256(content).hexdigest() for path, content in EVERY if path in narrow.PROGRAMS}
    assert [(path, why) for path, content in EVERY if (why := narrow.fault(path, content, listed))] == []
    assert listed == set(programs())


def test_every_file_of_the_border_has_a_grammar_or_is_no_configuration_of_root() -> None:
    free = (r".*/limits\.json", r".*/limits\.json\.sig", r".*/allowed_signers")
    patterns = [pattern for pattern, _ in narrow.INIS]
    for path in RENDERED:
        held = path in {*narrow.DOCUMENTS, *narrow.PROGRAMS, narrow.SYSCTL_CONF, narrow.TMPFILES_CONF}
        held = held or border.is_secret(path) or any(re.fullmatch(one, path) for one in patterns)
        assert held != any(re.fullmatch(one, path) for one in free), path


LINES = (
    *("ExecStart=+/bin/sh -c id", "ExecStartPre=/bin/sh", "ExecStartPost=+/bin/sh", "ExecStopPost=/bin/sh"),
    *("User=root", "User=", "Group=root", "DynamicUser=no", "AmbientCapabilities=CAP_SYS_ADMIN"),
    *("CapabilityBoundingSet=~", "NoNewPrivileges=no", "EnvironmentFile=/etc/x", "Environment=LD_PRELOAD=/x"),
    *("LoadCredential=config:/etc/shadow", "StandardOutput=append:/etc/cron.d/x", "PIDFile=/etc/passwd"),
    *("StateDirectory=../../etc", "RuntimeDirectory=x", "RootDirectory=/", "BindPaths=/:/x", "PAMName=su"),
    *("SupplementaryGroups=disk", "DeviceAllow=/dev/sda rw", "ExecCondition=+/bin/sh", "OnFailure=x.service"),
    *("[Socket]", "[Service", "ListenStream=/x", "kernel.core_pattern = |/bin/sh", "kernel.modprobe = /x"),
    *("f+ /etc/cron.d/x - - - - x", "w /proc/sys/kernel/core_pattern - - - - |/x", "L+ /etc/x - - - - /y"),
    *("DefaultEnvironment=LD_PRELOAD=/x", "ManagerEnvironment=x=y", "Alias=ssh.service", "x", " User=root"),
    *("ExecStart=/bin/a ; +/bin/sh --config %d/config", 'ExecStart="+/bin/sh" --config %d/config'),
    *("ExecStart=-/bin/sh --config %d/config", "ExecStart=@/bin/sh x --config %d/config"),
    *("ExecStart=\\x2b/bin/sh --config %d/config", "ExecStart=!!/bin/sh --config %d/config", "ExecStart="),
    *("Documentation=https://x\\", "# a comment\\", "WantedBy=sysinit.target", "RequiredBy=ssh.service"),
)


@pytest.mark.parametrize("line", LINES)
def test_no_foreign_line_passes_in_any_file_wherever_it_stands(line: str) -> None:
    for path in TEXTS:
        text = RENDERED[path].decode()
        for at in (0, len(text.splitlines()) // 2, len(text.splitlines())):
            lines = text.splitlines()
            lines.insert(at, line)
            if line.startswith("# "):
                assert narrow.fault(path, "\n".join(lines).encode()), (path, at)
            elif line not in text.splitlines():
                assert narrow.fault(path, "\n".join(lines).encode()), (path, at, line)


def test_a_line_that_has_to_be_there_is_missed() -> None:
    for path in TEXTS:
        ini = next((ini for pattern, ini in narrow.INIS if re.fullmatch(pattern, path)), None)
        for needed in ini.needed if ini is not None else ():
            text = RENDERED[path].decode().replace(f"\n{needed}\n", "\n")
            assert "lacks" in (narrow.fault(path, text.encode()) or ""), (path, needed)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(
        ["ExecStart", "User", "ExecStartPre", "StandardOutput", "LoadCredential", "Group", "Type"]
    ),
    st.text(st.sampled_from('+-!:@"\\;% /binshroot$x\t\x0b\u2028'), max_size=20),
)
def test_no_spelling_of_a_value_is_more_than_the_grammar_says(name: str, value: str) -> None:
    text = f"{ticket_unit()}\n[Service]\n{name}={value}\n"
    assert narrow.fault(f"{UNIT_DIR}/hft-ticket.service", text.encode())


@pytest.mark.parametrize(
    "change",
    [
        {"key": "/root/.ssh/id_ed25519"},
        {"slots": {"a": {"release": "/tmp/x", "config": "c", "limits": "l", "user": "hft-engine"}}},
        {"slots": {"../x": {}}},
        {"slots": []},
        {"more": 1},
    ],
)
def test_the_issuer_is_told_of_nothing_but_engines(change: dict[str, object]) -> None:
    slot = {
        "release": f"/opt/hft/releases/{'a' * 64}",
        "config": "/etc/hft/engine/a/config.json",
        "limits": "/etc/hft/engine/a/limits.json",
        "user": "hft-engine",
    }
    good: dict[str, object] = {"host": "e1", "key": "/etc/hft/ticket.key", "slots": {"a": slot}}
    assert narrow.fault(narrow.TICKET_JSON, json.dumps(good).encode()) is None
    for key, value in slot.items():
        wrong = good | {"slots": {"a": slot | {key: f"{value}x"}}}
        assert narrow.fault(narrow.TICKET_JSON, json.dumps(wrong).encode()), key
    assert narrow.fault(narrow.TICKET_JSON, json.dumps(good | change).encode())


def test_a_program_is_known_by_its_bytes() -> None:
    for path in narrow.PROGRAMS:
        digest = hashlib.sha256(b"x").hexdigest()
        assert narrow.fault(path, b"x", {digest}) is None
        assert "hft gate" in (narrow.fault(path, b"x", ()) or "")
        assert narrow.fault(path, b"y", {digest})


def test_the_kernels_words_are_those_of_the_planners_tables() -> None:
    stems = {key.removeprefix("cmdline.") for key in VALID if key.startswith("cmdline.")}
    extra = {"default_hugepagesz"}
    named = {
        name for name in narrow.KERNEL_WORDS if any(s == name or s.startswith(f"{name}.") for s in stems)
    }
    assert named | extra == narrow.KERNEL_WORDS
    assert [s for s in stems if not any(s == one or s.startswith(f"{one}.") for one in named)] == []
    assert {row.name for row in TABLE} == narrow.LEFT_OUT


@pytest.mark.parametrize(
    "word",
    [
        *(
            "init=/bin/sh",
            "rdinit=/x",
            "systemd.run=/x",
            "rd.break",
            "systemd.debug_shell",
            "module_blacklist=x",
        ),
        *("systemd.unit=rescue.target", "lsm=none", "isolcpus.x=1", "ISOLCPUS=1", "panic_on_oops", "--"),
    ],
)
def test_no_other_word_of_the_kernels_line_is_added_or_left_out(word: str, tmp_path: Path) -> None:
    host, boot = HostRoot(root=str(tmp_path)), boot_tree.WANTED
    whole = Document(
        txn=boot_tree.TXN,
        host="h",
        machine_id="0" * 32,
        plan_hash=None,
        topology_digest=None,
        steps=(),
        boot=boot,
    )
    narrow.check(host, replace(whole, boot=replace(boot, without=("nohz=off", "systemd.cpu_affinity=1"))))
    with pytest.raises(RefusedError, match="no kernel argument of a plan"):
        narrow.check(host, replace(whole, boot=replace(boot, args=(*boot.args, word))))
    if word.partition("=")[0] not in narrow.LEFT_OUT:
        with pytest.raises(RefusedError, match="no kernel argument of a plan"):
            narrow.check(host, replace(whole, boot=replace(boot, without=(word,))))


def test_who_may_sign_is_brought_once(tmp_path: Path) -> None:
    host, path = HostRoot(root=str(tmp_path)), "/etc/hft/engine/a/allowed_signers"
    step = FileStep(path=path, content=b"a\n", mode=0o644, before=None, why="w")
    assert narrow.signers_fault(host, step) is None
    boot_tree.put(tmp_path, path, "a\n")
    assert narrow.signers_fault(host, step) is None
    boot_tree.put(tmp_path, path, "b\n")
    assert "by root alone" in (narrow.signers_fault(host, step) or "")
