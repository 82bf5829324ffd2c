"""The actions of a trial boot: stage a candidate, arm GRUB's one-shot, promote, unstage. Each is idempotent.

The order makes it safe. Staging writes the overlay, then the record, then the menu: until the menu is renamed
nothing can boot the candidate, and nothing points at it. Arming writes the record before the one-shot, so a
power cut in between reads as a trial that never began. Promotion is one rename; only after it (and the
checkpoint that makes it visible to GRUB) is the watchdog stopped and the record closed.
docs/decisions/0002-trial-boot.md describes the whole protocol."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import replace

from agent import durable, state
from agent.boot import grub, grub_adopt, grubenv
from agent.boot.preflight import Ready, check, check_order, check_room, check_wait, current_menu, sha256
from agent.boot.states import Phase, Trial, marker, trial_of
from agent.boot.watchdog import build_overlay
from agent.document import Boot
from agent.errors import AgentError, RefusedError
from agent.host import HostRoot
from agent.paths import ENGINE_CGROUP, HFT_CFG
from tuning.units import is_populated

OVERLAY = "hft-watchdog.img"


def open_trial(host: HostRoot) -> Trial | None:
    """The unfinished trial, if any."""
    trial = trial_of(state.read(host)["trial"])
    return trial if trial and trial.is_open else None


def save(host: HostRoot, trial: Trial) -> Trial:
    """Write the record durably."""
    state.update(host, trial=trial.to_json())
    return trial


def preflight(host: HostRoot, boot: Boot) -> Ready:
    """Everything a trial boot needs, or the refusal; nothing is written."""
    grub_adopt.check_places(host, f"/boot/{OVERLAY}")
    return check(host, boot)


def stage(host: HostRoot, txn: str, boot: Boot) -> str:
    """Write the candidate entry; nothing boots it until it is armed. Returns the sentence for the outcome."""
    other = open_trial(host)
    if other and other.txn != txn:
        raise RefusedError("trial_open", f"the trial {other.txn} is {other.state}; finish or revert it first")
    ready = preflight(host, boot)
    running = (host.read("/proc/sys/kernel/osrelease") or "").strip()
    menu = grub_adopt.adopt(host, ready.disk, running)
    data, note = build_overlay(host, ready.release, boot.watchdog_s)
    if data is not None:
        durable.write_file(host, f"/boot/{OVERLAY}", data, 0o644)
    candidate = grub.Candidate(
        txn=txn,
        release=ready.release,
        args=(*grub.merged(menu.base, (*boot.args, f"panic={boot.panic_s}"), boot.without),),
        watchdog_s=boot.watchdog_s,
        overlay=None if data is None else OVERLAY,
    )
    save(host, _record(txn, boot, ready, candidate.args))
    grub_adopt.write_menu(host, replace(menu, candidate=candidate))
    return f"the candidate entry for Linux {ready.release} is in GRUB's menu; {note}"


def _record(txn: str, boot: Boot, ready: Ready, args: tuple[str, ...]) -> Trial:
    effect = boot.effect
    wanted = effect and {
        "cpus": effect.cpus.list_text(),
        "window_s": effect.window_s,
        "timer_interrupts_max": effect.timer_interrupts_max,
    }
    return Trial(
        txn=txn,
        state=Phase.STAGED,
        reason="the candidate is waiting for its trial boot",
        panic_s=boot.panic_s,
        watchdog_s=boot.watchdog_s,
        trial_s=boot.trial_s,
        confirmations=boot.confirmations,
        confirm_gap_s=boot.confirm_gap_s,
        args=args,
        release=ready.release,
        kernel_sha256=ready.kernel_sha256,
        initrd_sha256=ready.initrd_sha256,
        effect=wanted or None,
    )


def unstage(host: HostRoot, txn: str) -> str:
    """Remove the candidate from the menu and clear the one-shot; harmless when it was never staged."""
    trial = trial_of(state.read(host)["trial"])
    if trial and trial.txn == txn:
        if trial.state is Phase.COMMITTED:
            raise RefusedError("preflight", f"{txn} is committed; its inverse is a trial boot of its own")
        if marker(host.cmdline(), "txn") == txn:
            why = "it ends by itself, or when this host restarts"
            raise RefusedError("busy", f"this is the trial boot of {txn}; {why}")
    menu = current_menu(host)
    if menu is None:
        return "GRUB's menu was not written by hft"
    if grubenv.load(host).get("next_entry") == grub.CANDIDATE:
        grubenv.update(host, next_entry=None)
    grub_adopt.write_menu(host, menu.without(txn))
    durable.remove_file(host, f"/boot/{OVERLAY}")
    if trial and trial.txn == txn and trial.state in {Phase.STAGED, Phase.ARMED}:
        state.update(host, trial=None)
    return "the candidate entry is gone"


def trial_open(host: HostRoot, txn: str) -> bool:
    """Whether this transaction is the health service's alone to decide (armed or later)."""
    trial = open_trial(host)
    return trial is not None and trial.txn == txn and trial.state is not Phase.STAGED


def engine_active(host: HostRoot) -> bool:
    """Whether anything runs in the engine's slice."""
    return is_populated(host.read(f"{ENGINE_CGROUP}/cgroup.events") or "")


def arm(host: HostRoot, txn: str, *, drained: bool) -> Trial:
    """Point GRUB's one-shot at the candidate, after checking again everything it needs."""
    trial = open_trial(host)
    if trial is None or trial.txn != txn:
        raise RefusedError("preflight", f"{txn} is not staged on this host")
    if trial.state not in {Phase.STAGED, Phase.ARMED}:
        raise RefusedError("preflight", f"the trial of {txn} is {trial.state}; it is tried only once")
    menu = current_menu(host)
    if menu is None or menu.candidate is None or menu.candidate.txn != txn:
        raise RefusedError("preflight", f"GRUB's menu holds no candidate of {txn}")
    if engine_active(host) and not drained:
        raise RefusedError("preflight", "the engine slice is active; drain the host first (--drain)")
    for path, expected in (
        (f"/boot/vmlinuz-{trial.release}", trial.kernel_sha256),
        (f"/boot/initrd.img-{trial.release}", trial.initrd_sha256),
    ):
        if sha256(host, path) != expected:
            raise RefusedError("preflight", f"{path} changed since {txn} was staged; apply again")
    check_order(host)
    check_wait(host)
    check_room(host, txn)
    armed = trial.moved(Phase.ARMED, "GRUB boots the candidate once, at the next boot")
    armed = save(host, replace(armed, boot_id=host.boot_id()))
    try:
        grubenv.update(host, next_entry=grub.CANDIDATE, hft_tried=None, hft_failed=None)
        grub_adopt.checkpoint(host)
        _read_back(host)
    except Exception:
        disarm(host, trial)
        raise
    return armed


def disarm(host: HostRoot, before: Trial) -> None:
    """Clear the one-shot, then record the trial as BEFORE; while it stays set, the record stays armed."""
    with contextlib.suppress(OSError, ValueError, AgentError):
        if grubenv.load(host).get("next_entry") == grub.CANDIDATE:
            grubenv.update(host, next_entry=None)
            grub_adopt.checkpoint(host)
        save(host, before)


def _read_back(host: HostRoot) -> None:
    """GRUB's own tool must show the one-shot."""
    if not host.is_live:
        return
    listed = subprocess.run(
        ["/usr/bin/grub-editenv", grubenv.GRUBENV, "list"],
        text=True,
        check=True,
        capture_output=True,
        timeout=60,
    )
    if f"next_entry={grub.CANDIDATE}" not in listed.stdout.splitlines():
        raise RefusedError("preflight", "grub-editenv does not show the one-shot that was just set")


def promote(host: HostRoot, txn: str) -> None:
    """The commit point: from this rename on, every boot uses the candidate's command line."""
    menu = current_menu(host)
    if menu is None:
        raise RefusedError("preflight", f"{HFT_CFG} is gone")
    grub_adopt.write_menu(host, menu.promoted(txn))


def ask_for_reboot(host: HostRoot) -> None:
    """Request a clean restart without waiting for it: the caller still has to answer."""
    if host.is_live:
        subprocess.run(["/usr/bin/systemctl", "--no-block", "reboot"], check=True, timeout=60)


def reboot(host: HostRoot, argv: list[str]) -> int:
    """Verb `reboot TXN [--drained]`: arm the one-shot and reboot into the candidate."""
    txn = argv[0] if argv else ""
    answer = {"schema": 1, "txn": txn, "boot_id": host.boot_id(), "result": "armed", "code": "ok"}
    before = open_trial(host)
    try:
        trial = arm(host, txn, drained="--drained" in argv[1:])
        try:
            ask_for_reboot(host)
        except (OSError, subprocess.SubprocessError):
            disarm(host, before or trial)
            raise
        answer["message"] = trial.reason
    except (AgentError, OSError, ValueError, subprocess.SubprocessError) as error:
        code = error.code if isinstance(error, AgentError) else "step_failed"
        answer |= {"result": "refused", "code": code, "message": str(error)}
    print(json.dumps(answer))
    return 0 if answer["result"] == "armed" else 2
