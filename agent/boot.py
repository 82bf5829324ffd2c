"""The trial boot's acts: stage a candidate, arm GRUB's one-shot, promote, take back. Each is idempotent.

Order is what makes it safe. Staging writes the overlay, then the record, then the menu: until the menu is
renamed nothing can boot the candidate, and nothing points at it. Arming writes the record before the
one-shot, so a cut in between reads as a trial that never began. Promotion is one rename; only after it (and
the checkpoint that lets GRUB see it) is the watchdog stopped and the record closed.
docs/decisions/0002-trial-boot.md has the whole protocol."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

from agent import durable, grub, grub_adopt, grubenv, state
from agent.boot_preflight import Ready, check, current_menu, sha256
from agent.boot_state import Phase, Trial, marker, trial_of
from agent.document import Boot
from agent.errors import AgentError, RefusedError
from agent.host import ENGINE_CGROUP, Host
from agent.watchdog import build_overlay

OVERLAY = "hft-watchdog.img"


def open_trial(host: Host) -> Trial | None:
    """The trial that is not finished, if any."""
    trial = trial_of(state.read(host)["trial"])
    return trial if trial and trial.is_open else None


def save(host: Host, trial: Trial) -> Trial:
    """Write the record durably."""
    state.update(host, trial=trial.to_json())
    return trial


def preflight(host: Host, boot: Boot) -> Ready:
    """Everything a trial boot needs, or the refusal; nothing is written."""
    return check(host, boot)


def stage(host: Host, txn: str, boot: Boot) -> str:
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
        args=(*grub.merged(menu.base, (*boot.args, f"panic={boot.panic_s}")),),
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
        reason="the candidate waits for its trial boot",
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


def unstage(host: Host, txn: str) -> str:
    """Take the candidate out of the menu and forget the one-shot; harmless when it was never staged."""
    trial = trial_of(state.read(host)["trial"])
    if trial and trial.txn == txn:
        if trial.state is Phase.COMMITTED:
            raise RefusedError("preflight", f"{txn} is committed; its inverse is a trial boot of its own")
        if marker(host.cmdline(), "txn") == txn:
            why = "it ends by itself, or with a restart of this host"
            raise RefusedError("busy", f"this is the trial boot of {txn}; {why}")
    menu = current_menu(host)
    if menu is None:
        return "GRUB's menu is not ours"
    if grubenv.load(host).get("next_entry") == grub.CANDIDATE:
        grubenv.update(host, next_entry=None)
    grub_adopt.write_menu(host, menu.without(txn))
    durable.remove_file(host, f"/boot/{OVERLAY}")
    if trial and trial.txn == txn and trial.state in {Phase.STAGED, Phase.ARMED}:
        state.update(host, trial=None)
    return "the candidate entry is gone"


def trial_open(host: Host, txn: str) -> bool:
    """Whether the health service, and nobody else, decides about this transaction (armed or later)."""
    trial = open_trial(host)
    return trial is not None and trial.txn == txn and trial.state is not Phase.STAGED


def engine_active(host: Host) -> bool:
    """Whether anything runs in the engine's slice (cgroup v2, cgroup.events)."""
    events = host.read(f"{ENGINE_CGROUP}/cgroup.events") or ""
    return "populated 1" in events.splitlines()


def arm(host: Host, txn: str, *, drained: bool) -> Trial:
    """Point GRUB's one-shot at the candidate, after looking once more at everything it needs."""
    trial = open_trial(host)
    if trial is None or trial.txn != txn:
        raise RefusedError("preflight", f"{txn} is not staged on this host")
    if trial.state not in {Phase.STAGED, Phase.ARMED}:
        raise RefusedError("preflight", f"the trial of {txn} is {trial.state}; it is tried once only")
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
    armed = trial.moved(Phase.ARMED, "GRUB boots the candidate once, at the next boot")
    armed = save(host, replace(armed, boot_id=host.boot_id()))
    grubenv.update(host, next_entry=grub.CANDIDATE, hft_tried=None, hft_failed=None)
    grub_adopt.checkpoint(host)
    _read_back(host)
    return armed


def _read_back(host: Host) -> None:
    """GRUB's own tool must see the one-shot."""
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


def promote(host: Host, txn: str) -> None:
    """The atomic point: from this rename on every boot is the candidate's command line."""
    menu = current_menu(host)
    if menu is None:
        raise RefusedError("preflight", f"{grub.HFT_CFG} is gone")
    grub_adopt.write_menu(host, menu.promoted(txn))


def ask_for_reboot(host: Host) -> None:
    """A clean restart, asked for and not waited for: the caller still has an answer to give."""
    if host.is_live:
        subprocess.run(["/usr/bin/systemctl", "--no-block", "reboot"], check=True, timeout=60)


def reboot(host: Host, argv: list[str]) -> int:
    """Verb `reboot TXN [--drained]`: arm the one-shot and restart this host into the candidate."""
    txn = argv[0] if argv else ""
    answer = {"schema": 1, "txn": txn, "boot_id": host.boot_id(), "result": "armed", "code": "ok"}
    try:
        trial = arm(host, txn, drained="--drained" in argv[1:])
        ask_for_reboot(host)
        answer["message"] = trial.reason
    except (AgentError, OSError, ValueError, subprocess.SubprocessError) as error:
        code = error.code if isinstance(error, AgentError) else "step_failed"
        answer |= {"result": "refused", "code": code, "message": str(error)}
    print(json.dumps(answer))
    return 0 if answer["result"] == "armed" else 2
