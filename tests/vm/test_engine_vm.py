"""The engine on real kernels: venue and gateway on `ops`, the engine on a tuned host, real multicast.

One story on each kernel, because a boot costs the machine three quarters of a minute: `ops` is booted, the
engine's host is tuned if it is not yet, and reset once. The site's steps and judges are those of the
rehearsal (tests/integration/engine/site). Counts are judged; microseconds mean nothing on an emulated
machine.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.contract.canonical import canonical
from engine.host import places
from engine.toolchain.build import release_build
from lab.driver import Lab
from lab.machine import Machine
from lab.spec import Link, specs_of
from tests.support.commands import hft
from tests.support.engine.site import Load, Site, explain, fetch

pytestmark = [pytest.mark.vm, pytest.mark.drill, pytest.mark.engine, pytest.mark.timeout(3000)]
LOAD = Load(messages=1_000_000, per_s=15_000, per_datagram=25, loss=0.01)
# Windows of 10 s, of which one must be without involuntary switches (see `undisturbed`).
WINDOWS = {"engine-2": 1, "engine-1": 3}
UNIT = "hft-engine-a.service"
PAGE, JOURNAL = f"{places.run_dir('a')}/metrics", f"{places.state_dir('a')}/journal"


@dataclass(frozen=True, slots=True)
class VmPlace:
    """A VM of the lab as a place of the site."""

    machine: Machine
    folder: str = "/var/lib/hft-site"

    @property
    def name(self) -> str:
        """The host's name."""
        return self.machine.name

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 120) -> str:
        """Run a command in it."""
        done = self.machine.execute(argv, stdin=stdin, timeout_s=timeout_s)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {argv[0]} exited {done.returncode}: {done.stderr[-400:]}")
        return done.stdout

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a program as a transient unit."""
        self.run(["systemd-run", "--quiet", "--collect", f"--unit=site-{name}", *argv])


@pytest.fixture(scope="module")
def native() -> Path:
    """The programs, built here for the lab's CPU model and copied."""
    return release_build(print)


@pytest.fixture(scope="module")
def artifact(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    shutil.copy(native / "bin" / "hft-engine", folder)
    manifest = subprocess.run([folder / "hft-engine", "--manifest"], capture_output=True, check=True).stdout
    (folder / "engine.json").write_bytes(canonical(json.loads(manifest)))
    return folder


@pytest.fixture(scope="module", params=WINDOWS)
def site(
    request: pytest.FixtureRequest,
    lab: Lab,
    native: Path,
    artifact: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Both hosts up, the engine's tuned, the engine deployed and STANDBY, the market closed."""
    name = str(request.param)
    (ops,) = lab.up(specs_of(["ops"]), print)
    machine = lab.machine(name)
    tuned = hft("apply", "--yes", "--drain", "--limit", name, "--reason", "engine test")
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    made = Site(
        ops=VmPlace(ops),
        engine=VmPlace(machine),
        programs=native / "bin",
        folder=tmp_path_factory.mktemp("site"),
        ops_at={"A": ops.spec.address(Link.A), "B": ops.spec.address(Link.B)},
        load=LOAD,
        engine_name=name,
        patience_s=300,
    )
    ops.execute(["systemctl", "stop", "site-venue", "site-gateway"])
    for host in (ops, machine):  # a developer's lab may have been here before
        host.succeed(["rm", "-rf", "/var/lib/hft-site", places.state_dir("a")])
    ops.succeed(["sh", "-c", "sysctl -q -w net.core.rmem_max=67108864 net.core.wmem_max=67108864"])
    made.start_venue()
    trade = made.folder / "trade.json"
    trade.write_text(json.dumps(made.trade))
    signers = made.folder / "allowed_signers"
    named = made.folder / "lab.py"  # the lab, and who may sign limits there
    named.write_text(
        "from inventory.lab import load\n"
        f"SIGNERS = {hashlib.sha256(signers.read_bytes()).hexdigest()!r}\n"
        "SITE = load().model_copy(update={'limits_signers_sha256': SIGNERS})\n"
    )
    limits: list[str | Path] = ["--limits", made.folder / "limits.json", "--signers", signers]
    done = deploy(made, artifact, "--inventory", named, *limits, "--config", trade)
    assert done["result"] == "applied", done
    made.start_gateway(done["ticket_signer"])
    try:
        yield made
    finally:
        machine.execute(["systemctl", "kill", "--signal=KILL", UNIT])
        machine.execute(["systemctl", "stop", UNIT])
        print(hft("engine", "remove", "--limit", name, "--yes", "--drain").stderr)
        ops.execute(["systemctl", "stop", "site-venue", "site-gateway"])


def deploy(site: Site, artifact: Path, *words: str | Path) -> dict[str, Any]:
    done = hft("engine", "deploy", artifact, "--limit", site.engine_name, "--yes", "--json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    end: dict[str, Any] = json.loads(done.stdout)["hosts"][0]
    return end


def check(site: Site, *words: str) -> dict[str, tuple[str, str | None]]:
    """The engine's findings, by check."""
    done = hft("check", "--limit", site.engine_name, "--json", *words)
    findings = json.loads(done.stdout)["hosts"][0]["findings"]
    for one in findings:
        if one["check"].startswith("engine.") and one["verdict"] != "ok":
            print(one["check"], one["verdict"], one["reason"], one["message"])
    mine = (one for one in findings if one["check"].startswith("engine."))
    return {one["check"].removeprefix("engine.a."): (one["verdict"], one["reason"]) for one in mine}


def undisturbed(site: Site) -> dict[str, tuple[str, str | None]]:
    """Findings of a window in which the lab was not starved: what a host does to a thread shows in all.

    A virtual CPU that its host did not run for a tenth of a second holds up RCU, which then asks it by a tick
    and, on PREEMPT_RT, by the thread rcuc/N (traced): involuntary switches that no setting of the guest ends.
    """
    found = check(site, "--window", "10")
    for _ in range(1, WINDOWS[site.engine_name]):
        if found["hft-hot.involuntary_switches"][0] == "ok":
            break
        found = check(site, "--window", "10")
    return found


def test_second_deploy_changes_nothing_and_the_process_stays(site: Site, artifact: Path) -> None:
    pid = site.ask("status")["pid"]
    assert deploy(site, artifact)["result"] == "no_change"
    assert site.ask("status")["pid"] == pid


def test_a_million_messages_orders_out_gaps_explained_and_one_book(site: Site) -> None:
    site.promote()
    assert site.venue("start")["ok"]
    site.until(lambda: site.venue("status")["source_sent"] > 10_000, "the market's first messages")
    found = undisturbed(site)  # while market data comes in
    site.until(lambda: site.venue("status")["source_done"], "the market's end", 1800, every_s=5)
    site.in_step(within_s=900)
    status = site.venue("status")
    assert status["source_sent"] >= LOAD.messages
    assert site.metric(PAGE, "engine_feed_messages_total") == status["next_sequence"] - 1
    assert site.metric(PAGE, "engine_feed_lost_total") == 0
    orders = [line for line in site.venue_log() if line["event"] == "accepted" and line["type"] == "O"]
    assert len(orders) >= 100
    assert {line["epoch"] for line in orders} == {1}, "only the fenced engine traded"
    assert site.ask("demote")["ok"]
    ours, theirs = site.books()
    assert ours == theirs, "full depth of every symbol, order by order"
    told = explain(site.gaps(JOURNAL), site.venue_log())
    print(told, f"{len(orders)} orders, {status['next_sequence'] - 1} messages", status["lines"])
    assert told.gaps >= 1 and told.cut >= LOAD.cut_count
    assert told.unmatched == ()
    assert {name: verdict for name, (verdict, _) in found.items()} == dict.fromkeys(found, "ok")
    assert {"program", "release", "threads", "strangers", "locked", "huge", "local"} <= found.keys()
    assert {f"hft-hot.{name}" for name in ("minor_faults", "involuntary_switches")} <= found.keys()


def test_hot_path_has_no_seccomp_program_and_lives_on_its_cpu_alone(site: Site) -> None:
    pid = site.ask("status")["pid"]
    status = site.engine.run(["cat", f"/proc/{pid}/status"])
    words = dict(line.split(":", 1) for line in status.splitlines())
    assert words["Seccomp"].strip() == "0"
    assert words["CapEff"].strip() == "0" * 16
    assert words["NoNewPrivs"].strip() == "1"
    assert words["Uid"].split()[0] != "0"


def test_stray_threads_and_moved_threads_are_caught(site: Site) -> None:
    """Negative controls, each undone: a process in the engine's group on its CPU; the hot thread moved."""
    pid = site.ask("status")["pid"]
    group = f"/sys/fs/cgroup/hft.slice/hft-engine.slice/{UNIT}/cgroup.procs"
    script = f"echo $$ >{group} && taskset --cpu-list --pid 3 $$ && exec sleep 600\n"
    site.engine.start("stray", ["sh", site.put(site.engine, "stray.sh", script.encode())])
    try:
        site.until(lambda: len(site.engine.run(["cat", group]).split()) == 2, "the stray process")
        assert check(site, "--config-only")["strangers"] == ("violated", "stray_thread")
    finally:
        # It left its own unit's group, so that unit may be gone by now.
        kill = f"sed '/^{pid}$/d' {group} | xargs --no-run-if-empty kill; systemctl stop site-stray || :"
        site.engine.run(["sh", "-c", kill])
    tid = site.engine.run(["sh", "-c", f"grep -l hft-hot /proc/{pid}/task/*/comm"]).split("/")[4]
    cpu = site.engine.run(["taskset", "--cpu-list", "--pid", tid]).split(":")[-1].strip()
    site.engine.run(["taskset", "--cpu-list", "--pid", "0", tid])
    try:
        assert check(site, "--config-only")["threads"] == ("violated", "thread_misplaced")
    finally:
        site.engine.run(["taskset", "--cpu-list", "--pid", cpu, tid])
    after = check(site, "--config-only")
    assert (after["threads"][0], after["strangers"][0]) == ("ok", "ok")


def test_wrong_binary_under_the_right_manifest_is_violated(site: Site, artifact: Path) -> None:
    stray = f"{site.engine.folder}/stray"
    site.put(site.engine, "stray", (artifact / "hft-engine").read_bytes() + b"another build", "755")
    site.put(site.engine, "engine.json", (artifact / "engine.json").read_bytes())
    drop_in = f"/run/systemd/system/{UNIT}.d"
    lines = f"[Service]\\nExecStart=\\nExecStart={stray} --config %%d/config\\n"
    start = f"mkdir -p {drop_in} && printf '{lines}' >{drop_in}/stray.conf && systemctl daemon-reload"
    site.engine.run(["sh", "-c", f"{start} && systemctl restart {UNIT}"], timeout_s=300)
    try:
        found = check(site, "--config-only")
        assert found["program"] == ("violated", "binary_differs")
        assert found["release"][0] == "ok", "the manifest is the right one"
        refused = site.ask("promote", epoch=site.fence())
        assert refused["ok"] is False, "no ticket, no session"
    finally:
        site.engine.run(["sh", "-c", f"rm -r {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}"])
    site.until(lambda: site.ask("status")["ready"], "the engine")
    assert check(site, "--config-only")["program"] == ("ok", None)


def test_latch_survives_a_reset_of_the_machine(site: Site, lab: Lab) -> None:
    site.in_step(within_s=1200)  # it started again and asks for the whole day
    site.promote()
    killed = site.ask("kill", scope="engine", id="", reason="drill")
    assert killed["ok"] and killed["flattened"] is False
    before = site.venue("status")["accounts"]
    machine = lab.machine(site.engine_name)
    boot = machine.boot_id()
    machine.reset()
    machine.wait_for_boot(after=boot)
    machine.wait_for_unit(UNIT)
    status = site.ask("status")
    assert status["state"] == "HALTED"
    assert status["latch"]["reason"] == "drill"
    refused = site.ask("promote", epoch=site.fence())
    assert refused["ok"] is False and refused["code"] == "latched"
    time.sleep(2)
    now = {one["account"]: one["accepted"] for one in site.venue("status")["accounts"]}
    assert now == {one["account"]: one["accepted"] for one in before}, "not one order since the ack"
    assert site.ask("unkill", operator="test", reason="drill over")["ok"]
    assert fetch(site.engine, f"{places.state_dir('a')}/latch")[:8] == b"HFTLATCH"
