"""Negative controls on a real kernel: what checks must catch, each by its reason, passing before and after.

One tuned host of the lab that $HFT_LAB names is used (brought up and tuned if it is not). No control needs
a reboot but the last, which boots once without nohz_full and once back.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HFT = str(Path(sys.executable).with_name("hft"))
NAME = "engine-1"
WINDOW = "10"  # seconds; the budgets scale with it, and what is planted is a hundred times over

pytestmark = pytest.mark.vm


class Host:
    """The tuned host: a root shell on it, and what `hft check` says of it."""

    def __init__(self) -> None:
        self.clean: dict[str, str | None] = {}
        self.document: dict[str, Any] = {}

    def sh(self, script: str, *, stdin: str | None = None, timeout_s: float = 120) -> str:
        argv = [HFT, "lab", "ssh", NAME, script]
        done = subprocess.run(
            argv, input=stdin or "", capture_output=True, text=True, check=False, timeout=timeout_s
        )
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def check(self, *words: str) -> dict[str, dict[str, Any]]:
        """Findings by check; `hft check` itself must not fail."""
        argv = [HFT, "check", "--limit", NAME, "--window", WINDOW, "--json", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode in (0, 4, 5), done.stderr
        self.document = json.loads(done.stdout)["hosts"][0]
        return {finding["check"]: finding for finding in self.document["findings"]}

    def reasons(self, *words: str) -> dict[str, str | None]:
        """Reasons by check; a machine that starved the control is asked once more, as the reason says."""
        found = self.check(*words)
        if "effect.control" in found and found["effect.control"]["reason"] == "no_positive_control":
            found = self.check(*words)
        return {check: finding["reason"] for check, finding in found.items()}

    def wait(self, script: str, within_s: float = 300) -> None:
        end = time.monotonic() + within_s
        while True:
            try:
                self.sh(script, timeout_s=30)
                return
            except (AssertionError, subprocess.TimeoutExpired):
                if time.monotonic() > end:
                    raise
                time.sleep(2)


def hft(*words: str) -> None:
    done = subprocess.run([HFT, *words], capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def host() -> Host:
    """engine-1 of the session's lab, tuned by now or here."""
    found = Host()
    if found.reasons("--config-only")["plan.committed"] == "no_plan":
        hft("apply", "--yes", "--limit", NAME)
    return found


@contextmanager
def control(host: Host, expected: dict[str, str], *words: str) -> Iterator[dict[str, str | None]]:
    """The same checks pass before and after; inside they must fail, each by its code.

    The run after one control is the run before the next: nothing happens between them.
    """
    before = host.clean if expected.keys() <= host.clean.keys() else host.reasons(*words)
    assert {check: before[check] for check in expected} == dict.fromkeys(expected)
    inside: dict[str, str | None] = {}
    yield inside
    assert {check: inside[check] for check in expected} == expected
    host.clean = host.reasons(*words)
    assert {check: host.clean[check] for check in expected} == dict.fromkeys(expected)


@contextmanager
def undone(host: Host, do: str, undo: str) -> Iterator[None]:
    host.sh(do)
    try:
        yield
    finally:
        host.sh(undo)


def plan_of(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.sh("cat /var/lib/hft/plan.json"))
    return found


def unit_of(name: str, command: str) -> tuple[str, str]:
    start = f"systemd-run --quiet --collect --unit={name} --slice=hft-intruder.slice {command}"
    return start, f"systemctl stop {name}; sleep 1"


def card_of(host: Host) -> tuple[str, int]:
    """An interrupt of the management card, and the CPU where the plan has it."""
    number = host.sh("grep -m1 -E 'virtio[0-9]+-input.0' /proc/interrupts | cut -d: -f1").strip()
    return number, min(one["cpu"] for one in plan_of(host)["cpus"] if one["role"] == "irq")


def test_second_task_on_an_isolated_cpu_is_caught(host: Host) -> None:
    expected = {
        "tasks.user": "task_on_isolated",
        "effect.cpu3.foreign_task": "foreign_task",
        "effect.cpu3.timer_interrupts": "timer_interrupts",
    }
    start, stop = unit_of("intruder", "taskset -c 3 sh -c 'while :; do :; done'")
    with control(host, expected) as inside, undone(host, start, stop):
        inside.update(host.reasons())
        assert inside["effect.cpu2.timer_interrupts"] is None  # only the CPU that was disturbed is named


def test_interrupt_with_traffic_on_an_isolated_cpu_is_caught(host: Host) -> None:
    number, home = card_of(host)
    expected = {"irq.routes": "irq_on_isolated", "effect.cpu3.device_interrupts": "device_interrupts"}
    start, stop = unit_of("traffic", "ping -q -i 0.1 10.0.2.2")
    pinned = undone(  # with the service that would put it back within seconds out of the way
        host,
        f"systemctl stop hft-irqs; echo 3 > /proc/irq/{number}/smp_affinity_list",
        f"echo {home} > /proc/irq/{number}/smp_affinity_list; systemctl start hft-irqs",
    )
    with control(host, expected) as inside, undone(host, start, stop), pinned:
        inside.update(host.reasons())


def test_an_interrupt_that_somebody_moves_is_put_back_by_the_sweep(host: Host) -> None:
    place = f"/proc/irq/{card_of(host)[0]}/smp_affinity_list"
    host.sh(f"systemctl is-active hft-irqs && echo 3 > {place} && grep -qx 3 {place}")
    host.wait(f"! grep -q 3 {place}", within_s=30)


def test_irqbalance_that_was_enabled_again_is_caught(host: Host) -> None:
    expected = {
        "units.irqbalance": "irqbalance_running",
        "setting.unit.irqbalance.service": "unit_state_differs",
    }
    save = "for i in /proc/irq/[0-9]*; do echo $i $(cat $i/smp_affinity_list); done > /run/irqs"
    put = "while read i c; do echo $c > $i/smp_affinity_list; done < /run/irqs 2> /dev/null; true"
    do = f"{save}; systemctl unmask irqbalance && systemctl start irqbalance"
    stop = f"systemctl mask --now irqbalance; sleep 1; {put}"
    with control(host, expected, "--config-only") as inside, undone(host, do, stop):
        inside.update(host.reasons("--config-only"))


@pytest.mark.parametrize(
    ("path", "blind"),
    [
        ("/proc/interrupts", "effect.cpu2.timer_interrupts"),
        ("/proc/cmdline", "setting.cmdline.nohz_full"),
    ],
)
def test_file_mounted_over_proc_is_not_believed(path: str, blind: str, host: Host) -> None:
    evidence = f"evidence.{Path(path).name}"
    expected = {evidence: "not_procfs", blind: "not_procfs"}
    cover = f"cat {path} > /run/fake && mount --bind /run/fake {path}"
    words = () if blind.startswith("effect.") else ("--config-only",)
    with control(host, expected, *words) as inside, undone(host, cover, f"umount {path}"):
        found = host.check(*words)
        inside.update({check: finding["reason"] for check, finding in found.items()})
        assert found[evidence]["verdict"] == "violated"
        assert found[blind]["verdict"] == "unverifiable"


def test_plan_that_isolates_cpu_0_is_caught(host: Host) -> None:
    """Committed, rightly hashed, recorded: only the checks' own reading can tell."""
    document = plan_of(host)
    del document["plan_hash"]
    document["cpus"][0]["role"] = "engine"
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    state = json.loads(host.sh("cat /var/lib/hft/state.json"))
    state["committed"]["plan_hash"] = digest
    expected = {"plan.boot_cpu": "boot_cpu_isolated", "cpu.isolated": "not_isolated"}
    keep = "cd /var/lib/hft && cp -p plan.json /run/plan.json && cp -p state.json /run/state.json"
    back = "cd /var/lib/hft && cp -p /run/plan.json plan.json && cp -p /run/state.json state.json"
    with control(host, expected, "--config-only") as inside, undone(host, keep, back):
        host.sh("cat > /var/lib/hft/plan.json", stdin=json.dumps({**document, "plan_hash": digest}))
        host.sh("cat > /var/lib/hft/state.json", stdin=json.dumps(state))
        inside.update(host.reasons("--config-only"))


SWITCHES = (
    "cat /sys/fs/cgroup/hft.slice/hft-engine.slice/watched.service/cgroup.threads | while read t; do "
    "grep ^nonvoluntary /proc/$t/status; done | cut -f2"
)


def test_check_beside_a_busy_engine_only_watches_and_takes_nothing_from_it(host: Host) -> None:
    """What a check costs the engine it costs every time; a housekeeping event of the kernel comes once."""
    loop = "taskset -c 3 sh -c 'while :; do :; done'"
    start = f"systemd-run --quiet --collect --unit=watched --slice=hft-engine.slice {loop}"
    taken: list[int] = []
    found: dict[str, str | None] = {}
    with undone(host, start, "systemctl stop watched; sleep 1"):
        time.sleep(5)
        while len(taken) < 3 and 0 not in taken:
            before = int(host.sh(SWITCHES))
            found = host.reasons()
            taken.append(int(host.sh(SWITCHES)) - before)
        modes = {one["cpu"]: one["mode"] for one in host.document["measurement"]["cpus"]}
    assert 0 in taken, f"involuntary switches of the engine's thread during each check: {taken}"
    assert (modes[2], modes[3]) == ("spin", "observe")
    assert found["effect.cpu3.timer_interrupts"] is None
    assert found["effect.cpu3.involuntary_switches"] is None
    assert found["tasks.user"] is None


def test_nothing_of_the_check_is_left_on_the_host(host: Host) -> None:
    host.reasons()
    assert host.sh("ls -d /var/tmp/hft-check.* /tmp/hft-check.* 2>/dev/null; true") == ""
    assert host.sh("pgrep -x meter; true") == ""


BARE = """
entry=$(sed -n '/--id hft-good/,/^}/p' /boot/grub/hft.cfg)
[ -n "$entry" ] || entry=$(sed -n "/^menuentry /,/^}/p" /boot/grub/grub.cfg | sed '/^}/q')
head="1s/^menuentry '[^']*'.*{/menuentry 'bare' --id bare {/"
printf '%s\\n' "$entry" | sed "$head; s/'\\{0,1\\}nohz_full=[^ ]*//" > /boot/grub/custom.cfg
grep -q nohz_full /boot/grub/custom.cfg && exit 1
grub-reboot bare && (sleep 1; systemctl reboot) > /dev/null 2>&1 &
"""


def reboot(host: Host, script: str) -> None:
    boot = host.sh("cat /proc/sys/kernel/random/boot_id").strip()
    host.sh(script)
    host.wait(f"[ $(cat /proc/sys/kernel/random/boot_id) != {boot} ] && systemctl is-system-running --wait")


# What distribution packages do behind everybody's back: a new initramfs and a new menu.
PACKAGES = 'dpkg-reconfigure "linux-image-$(uname -r)" && update-grub && rm /boot/grub/custom.cfg'


def test_boot_without_nohz_full_is_caught_and_a_reconfigured_kernel_boots_tuned_again(host: Host) -> None:
    expected = {
        "cpu.nohz_full": "not_nohz_full",
        "setting.cmdline.nohz_full": "arg_missing",
        "effect.cpu2.timer_interrupts": "timer_interrupts",
    }
    with control(host, expected) as inside:
        reboot(host, BARE)
        try:
            inside.update(host.reasons())
        finally:
            host.sh(PACKAGES, timeout_s=600)
            reboot(host, "(sleep 1; systemctl reboot) > /dev/null 2>&1 &")
