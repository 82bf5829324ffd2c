"""Wrong inventories and profiles: each gives one clear sentence on standard error, exit code 2, no traceback.

Every case goes through the real command line (`hft host list`, which reads an inventory and asks no host).
The sentence must name the file and hold the words a person needs: which key, what was expected, what is near.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.hft_here import one_sentence

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
BMC = f'{{address = "https://192.0.2.111", tls_sha256 = "{"0" * 64}", credential = "/etc/hft/bmc"}}'
PYTHON_HEAD = "from inventory.model import Host, Site, Trial\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One wrong file and a pattern of what must be said about it."""

    name: str
    text: str | bytes
    says: str
    suffix: str = ".toml"


def host(**changes: str) -> str:
    """One TOML host, with keys replaced; an empty value leaves the key out."""
    keys = {
        "name": '"e1"',
        "address": '"192.0.2.1"',
        "role": '"engine"',
        "failure_domain": '"a"',
    } | changes
    return "[[hosts]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)


def site(*hosts: str, head: str = "") -> str:
    return f'name = "rack"\n{head}\n{"".join(hosts)}'


def toml(name: str, text: str, says: str) -> Wrong:
    return Wrong(name=name, text=text, says=says)


def json(name: str, text: str, says: str) -> Wrong:
    return Wrong(name=name, text=text, says=says, suffix=".json")


def python(name: str, text: str, says: str) -> Wrong:
    return Wrong(name=name, text=text, says=says, suffix=".py")


FORM = [
    toml("empty file", "", "key 'name' is missing"),
    toml("not toml", "name = \n", "not TOML: .*line 1"),
    toml("key written twice", 'name = "a"\nname = "b"\n', "not TOML: .*overwrite"),
    Wrong(name="not utf-8", text=b'name = "\xff"', says="not UTF-8 text"),
    Wrong(name="binary", text=bytes(range(256)), says="not UTF-8 text"),
    Wrong(name="yaml", text="name: rack\n", says=r"ending in \.py, \.toml or \.json", suffix=".yaml"),
    Wrong(name="no suffix", text="name", says=r"ending in \.py, \.toml or \.json, got ''", suffix=""),
    json("not json", '{"name": "rack",\n "hosts": [}', ":2: not JSON: Expecting value"),
    json("json list", "[]", "expected a table with name and hosts, got list"),
    json("json text", '"rack"', "expected a table with name and hosts, got str"),
    json("json too deep", "[" * 200_000, "nested deeper than 64 levels"),
    json("number too long", "1" * 10_000, "not JSON: .*digits"),
]
SITE = [
    toml("no hosts", 'name = "rack"\n', "key 'hosts' is missing"),
    toml("zero hosts", 'name = "rack"\nhosts = []\n', ":2: site, hosts: expected at least one, got none"),
    toml("hosts a number", 'name = "rack"\nhosts = 3\n', ":2: site, hosts: expected a list, got 3"),
    toml("hosts of text", 'name = "rack"\nhosts = ["e1"]\n', "host number 1: expected a table, got 'e1'"),
    toml("site without name", host(), "key 'name' is missing"),
    toml("site name with space", site(host()).replace('"rack"', '"my rack"'), ":1: site, name: .*no space"),
    toml("site name a path", site(host()).replace('"rack"', '"../rack"'), ":1: site, name: .*'../rack'"),
    toml("unknown site key", site(host(), head="hots = 3"), ":2: site: unknown key 'hots'.*'hosts'"),
    toml("deadline text", site(host(), head='status_deadline_s = "fast"'), ":2: site, status_deadline_s: "),
    toml("deadline zero", site(host(), head="status_deadline_s = 0"), "expected at least 0.1, got 0"),
    toml(
        "deadline nan",
        site(host(), head="status_deadline_s = nan"),
        "status_deadline_s: expected a number, got nan",
    ),
]
HOST = [
    toml("misspelt key", site(host(ssh_prot="22")), r":\d+: host 'e1': unknown key 'ssh_prot'.*'ssh_port'"),
    toml("key of another tool", site(host(ansible_host='"x"')), "unknown key 'ansible_host'; hint: "),
    toml("no address", site(host(address="")), "host 'e1': key 'address' is missing"),
    toml("no role", site(host(role="")), "host 'e1': key 'role' is missing"),
    toml("no failure domain", site(host(failure_domain="")), "key 'failure_domain' is missing"),
    toml("nameless host", site(host(name="")), "host number 1: key 'name' is missing"),
    toml("name with space", site(host(name='"e 1"')), "name: expected a name of letters.*'e 1'"),
    toml("name with line end", site(host(name='"e1\\nHost *"')), r"name: expected a name.*'e1\\nHost"),
    toml("name with comma", site(host(name='"e1,e2"')), "name: expected a name"),
    toml("name a pattern", site(host(name='"e*"')), "name: expected a name"),
    toml("name an option", site(host(name='"-oProxyCommand=x"')), "name: expected a name"),
    toml("name a number", site(host(name="1")), r"name: expected text, got 1 \(int\)"),
    toml("name empty", site(host(name='""')), "name: expected .*at least 1 character"),
    toml("two hosts one name", site(host(), host(address='"192.0.2.2"')), "two hosts .*host name: 'e1'"),
    toml("two hosts one address", site(host(), host(name='"e2"')), "same address and port: '192.0.2.1 port"),
    toml("address out of range", site(host(address='"192.0.2.300"')), "address: expected an IP address"),
    toml("address an option", site(host(address='"-F/etc/x"')), "address: expected an IP address or a DNS"),
    toml("address a url", site(host(address='"ssh://e1"')), "address: expected an IP address or a DNS name"),
    toml("address with port", site(host(address='"192.0.2.1:22"')), "address: expected an IP address"),
    toml("port zero", site(host(ssh_port="0")), "ssh_port: expected at least 1, got 0"),
    toml("port too large", site(host(ssh_port="65536")), "ssh_port: expected at most 65535"),
    toml("port text", site(host(ssh_port='"22"')), r"ssh_port: expected a whole number, got '22' \(str\)"),
    toml("port true", site(host(ssh_port="true")), "ssh_port: expected a whole number, got True"),
    toml("port a fraction", site(host(ssh_port="22.5")), "ssh_port: expected a whole number, got 22.5"),
    toml("user an option", site(host(user='"-root"')), "user: expected a Unix user name, got '-root'"),
    toml("user with shell", site(host(user='"root;id"')), "user: expected a Unix user name"),
    toml("key relative", site(host(ssh_key='"id_ed25519"')), "ssh_key: expected an absolute path"),
    toml("key with quote", site(host(ssh_key="'/a\"b'")), "ssh_key: expected the path of a private key"),
    toml("unknown role", site(host(role='"engin"')), "role: expected one of engine, ops.*'engine'"),
    toml("unknown class", site(host(host_class='"bare_metal"')), "host_class: .*did you mean 'bare-metal'"),
    toml(
        "unknown power", site(host(power='"ipmi"')), "power: expected one of none, lab, redfish, got 'ipmi'"
    ),
    toml("redfish without a bmc", site(host(power='"redfish"')), 'power = "redfish" goes with bmc'),
    toml("a bmc without redfish", site(host(bmc=BMC)), 'power = "redfish" goes with bmc'),
    toml(
        "a bmc without tls",
        site(host(power='"redfish"', bmc=BMC.replace("https:", "http:"))),
        "address: expected a BMC's address such as https://192.0.2.111",
    ),
    toml(
        "a pin cut",
        site(host(power='"redfish"', bmc=BMC.replace("0" * 64, "00"))),
        "tls_sha256: expected a SHA-256",
    ),
    toml("canary text", site(host(canary='"yes"')), "canary: expected true or false, got 'yes'"),
    toml("no such profile", site(host(profile='"engin"')), "'e1': there is no profile 'engin'.*'engine'"),
]
IDENTITY = [
    toml("no host key", site(host(), "[hosts.identity]\nmachine_id = '1'\n"), "key 'host_keys' is missing"),
    toml(
        "host key cut",
        site(host(identity=f'{{host_keys = ["ssh-ed25519"], machine_id = "{"1" * 32}"}}')),
        "expected a public host key such as",
    ),
    toml(
        "host key of two lines",
        site(host(identity=f'{{host_keys = ["{KEY}\\ne2 {KEY}"], machine_id = "{"1" * 32}"}}')),
        "expected a public host key .*on one line",
    ),
    toml(
        "machine id short",
        site(host(identity=f'{{host_keys = ["{KEY}"], machine_id = "12"}}')),
        "machine_id: expected a machine-id of 32 hexadecimal digits, got '12'",
    ),
    toml(
        "mac without colons",
        site(host(identity=f'{{host_keys = ["{KEY}"], machine_id = "{"1" * 32}", macs = ["525400123456"]}}')),
        "expected a MAC address such as",
    ),
    toml(
        "one key on two hosts",
        site(
            host(identity=f'{{host_keys = ["{KEY}"], machine_id = "{"1" * 32}"}}'),
            host(
                name='"e2"',
                address='"192.0.2.2"',
                identity=f'{{host_keys = ["{KEY}"], machine_id = "{"2" * 32}"}}',
            ),
        ),
        "two hosts with the same host key",
    ),
]
TRIALS = [
    toml("unknown class", site("[trials.lab]\n", host()), "trials, lab: expected one of lab-vm.*'lab-vm'"),
    toml("unknown key", site("[trials.cloud]\ngap = 1\n", host()), "trials, cloud: unknown key 'gap'"),
    toml("watchdog short", site("[trials.cloud]\nwatchdog_s = 60\n", host()), "must be longer than trial_s"),
    toml("trial short", site("[trials.cloud]\ntrial_s = 60\n", host()), "must exceed the 130 s"),
    toml("seconds text", site('[trials.cloud]\ntrial_s = "9"\n', host()), "trial_s: expected a whole number"),
    toml(
        "no confirmation",
        site("[trials.cloud]\nconfirmations = 0\n", host()),
        "confirmations: expected at least 1",
    ),
    toml("a year", site("[trials.cloud]\ntrial_s = 31536000\n", host()), "at most 86400"),
]


def profile(body: str) -> str:
    return site(f"[profiles.fast]\n{body}\n", host(profile='"fast"'))


PROFILES = [
    toml(
        "misspelt key", profile("engine_thread_min = 2"), "profile 'fast': .*did you mean engine_threads_min"
    ),
    toml("text for a number", profile('engine_threads_min = "2"'), "engine_threads_min is '2', expected int"),
    toml("true for a number", profile("engine_threads_min = true"), "engine_threads_min is True, expected"),
    toml("number for a text", profile("io_mode = 3"), "profile 'fast': .*io_mode"),
    toml("unknown io mode", profile('io_mode = "dpkd"'), "profile 'fast': io_mode .*dpkd.*dpdk"),
    toml("least above most", profile("engine_threads_min = 9"), "engine_threads_min 9 and .*contradict"),
    toml("no engine thread", profile("engine_threads_min = 0"), "engine_threads_min must be at least 1"),
    toml("negative cores", profile("irq_cores_most = -1"), "must not be negative"),
    toml("all memory", profile("hugepage_share_most = 0.9"), "hugepage_share_most 0.9 is outside 0 to 0.5"),
    toml("another name", profile('name = "slow"'), "has the name 'slow'"),
    toml("a profile that ships", site("[profiles.engine]\n", host()), "profile 'engine' is built in"),
    toml("not a table", site(host(), head="profiles = 3"), "site, profiles: expected a table, got 3"),
    toml(
        "profile a number", site("[profiles]\nfast = 3\n", host()), "profiles, fast: expected a table, got 3"
    ),
    toml("profile name a path", site('[profiles."../x"]\n', host()), "expected a name of letters"),
]
PYTHON = [
    python("no site", "hosts = []\n", "expected a variable SITE"),
    python("lower case", "site = 3\n", "expected a variable SITE.*did you mean 'site'"),
    python("site a number", "SITE = 3\n", "SITE: expected a Site, got int"),
    python("syntax", "SITE = (\n", ":1: not Python: "),
    python("indentation", "if 1:\nSITE = 3\n", ":2: not Python: "),
    python("null byte", "SITE = 3\0", "not Python|null bytes"),
    python(
        "no such module", "import nonsuch_module\n", ":1: ModuleNotFoundError: No module named 'nonsuch_m"
    ),
    python("name error", "\n\nSITE = Site()\n", ":3: NameError: name 'Site' is not defined"),
    python("raises", "def f():\n    raise ValueError('two\\nlines')\n\nf()\n", ":2: ValueError: two lines"),
    python("exits", "import sys\nsys.exit(0)\n", ":2: SystemExit"),
    python("recursion", "def f(): f()\nf()\n", "RecursionError: maximum recursion"),
    python("divides", "SITE = 1 / 0\n", ":1: ZeroDivisionError: division by zero"),
    python(
        "bad host",
        PYTHON_HEAD + "SITE = Site(name='r', hosts=(\n  Host(name='e 1'),))\n",
        ":3: .*expected a name",
    ),
    python(
        "no hosts", PYTHON_HEAD + "SITE = Site(name='rack', hosts=())\n", ":2: site, hosts: expected at least"
    ),
    python("bad trial", PYTHON_HEAD + "Trial(watchdog_s=1)\n", ":2: watchdog_s 1 must be longer"),
    python(
        "bad table", "SITE = {'name': 'r', 'hosts': [{'name': 'e1', 'adress': 'x'}]}\n", "did you mean 'addr"
    ),
]
CASES = [
    pytest.param(case, id=f"{group}: {case.name}")
    for group, cases in {
        "form": FORM,
        "site": SITE,
        "host": HOST,
        "identity": IDENTITY,
        "trials": TRIALS,
        "profiles": PROFILES,
        "python": PYTHON,
    }.items()
    for case in cases
]


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("wrong", CASES)
def test_wrong_inventory_gives_one_sentence_and_exit_code_2(
    wrong: Wrong, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"site{wrong.suffix}"
    path.write_bytes(wrong.text if isinstance(wrong.text, bytes) else wrong.text.encode())
    sentence = one_sentence(capsys, "host", "list", "--inventory", path)
    assert str(path) in sentence
    assert re.search(wrong.says, sentence), sentence


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nosuch.py", "no such file"),
        ("sites.py", r"no such file; hint: there is site\.toml"),
        (".", r"a directory, expected a file; hint: it contains site\.toml"),
        ("nowhere/site.py", "there is no directory"),
        ("a\0b.py", "holds a NUL character"),
    ],
)
def test_inventory_that_is_not_there_gives_one_sentence_and_exit_code_2(
    path: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.toml").write_text(site(host()))
    monkeypatch.chdir(tmp_path)
    assert re.search(says, one_sentence(capsys, "host", "list", "--inventory", path))


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("", "an empty --limit selects no host"),
        (",", "an empty --limit selects no host"),
        ("e2", "no host is called 'e2'; hint: there is e1"),
        ("x*", "no host matches 'x\\*'; hint: there is e1"),
        ("e1,nope", "no host is called 'nope'"),
    ],
)
def test_limit_that_selects_nothing_gives_one_sentence_and_exit_code_2(
    limit: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text(site(host()))
    sentence = one_sentence(capsys, "host", "list", "--inventory", tmp_path / "site.toml", "--limit", limit)
    assert re.search(says, sentence)
