"""Taking the agent away from a host: units, state and itself, and the boot menu back to the distribution.

Nothing of ours may stand on it any more: no transaction or trial is open, no plan is committed, no engine is
deployed. Each is refused with what to do first, so what is left is what was there before `hft` came, and what
other hosts know this one by: /etc/hft with the ticket key, /opt/hft with the releases, the engine's account
and its journals. With `--agent-only` the agent and its units go and the rest stays as it is, committed or
not: the way to put an older release on a host, because an install never replaces a newer one by itself. It
may be interrupted and repeated: the units go first, the agent and its record last.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from agent import durable, lock, state
from agent.boot import grubenv
from agent.boot.grub_adopt import GRUB_D, HEALTH_UNITS, checkpoint, regenerate
from agent.boot.states import OPEN, trial_of
from agent.errors import AgentError, RefusedError
from agent.host import HostRoot
from agent.install.units import UNITS
from agent.paths import HFT_CFG, LIB_DIR, VAR_DIR
from agent.record import OPEN_PHASES
from agent.transaction import journal as journals
from agent.transaction.outcome import Outcome
from agent.transaction.step_unit import demand, reload, set_links
from agent.verbs.apply import answer, catch_signals, refusal
from tuning.snapshot.boot_menu import DEFAULTS
from tuning.units import UNIT_DIR

LOCK_WAIT_S = 20.0
AGENT_ONLY = "--agent-only"
# What an engine's deploy and the lab's stand-ins leave for the next one.
SHARED_UNITS = ("hft-ticket.service", "hft-standin@.service")
ONESHOT = ("hft-recover.service", "hft-rollback.service")


def remove(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `remove [--agent-only]`."""
    catch_signals()
    agent_only = list(argv) == [AGENT_ONLY]
    try:
        if argv and not agent_only:
            raise RefusedError("bad_document", f"remove takes {AGENT_ONLY} or nothing")
        with lock.held(host, "remove", wait_s=LOCK_WAIT_S):
            refuse_in_use(host, agent_only=agent_only)
            take_away(host, agent_only=agent_only)
    except (AgentError, OSError) as error:
        return answer(refusal("", error))
    kept = "the committed state stays" if agent_only else "nothing of the agent is left"
    return answer(Outcome(txn="", result="applied", code="ok", message=f"the agent is taken away; {kept}"))


def refuse_in_use(host: HostRoot, *, agent_only: bool) -> None:
    """Refuse while something of ours is open or stands, with what to do first."""
    for txn in journals.transactions(host):
        if journals.phase_of(host, txn) in {*OPEN_PHASES, "staged"}:
            raise RefusedError("in_use", f"transaction {txn} is open; recover or revert it first")
    known = state.read(host)
    trial = trial_of(known["trial"])
    if trial is not None and trial.state in OPEN:
        raise RefusedError("in_use", f"the trial boot of {trial.txn} is open; finish it first")
    if agent_only:
        return
    engines = [name for name in host.listdir(UNIT_DIR) if is_engine(name)]
    if engines:
        raise RefusedError("in_use", f"{', '.join(engines)} is deployed here; remove it first")
    if known["committed"] is not None:
        raise RefusedError("in_use", f"the plan of {known['committed']['txn']} is committed; revert it first")


def is_engine(name: str) -> bool:
    """Whether a unit file is a deployed engine's."""
    return name.startswith("hft-engine-") and name.endswith(".service")


def take_away(host: HostRoot, *, agent_only: bool) -> None:
    """Units, boot menu, agent, record: each is gone durably before the next."""
    units = [*UNITS, *(() if agent_only else (*HEALTH_UNITS, *SHARED_UNITS))]
    there = [unit for unit in units if host.exists(f"{UNIT_DIR}/{unit}")]
    running = [unit for unit in there if "@" not in unit and unit not in ONESHOT]
    if host.is_live and running:
        demand(host, "stop", "--", *running)
    for unit in there:
        set_links(host, unit, {})
        durable.remove_file(host, f"{UNIT_DIR}/{unit}")
    reload(host)
    if not agent_only:
        give_back_boot(host)
    ours = [name for name in host.listdir(LIB_DIR) if is_agent(name) or not agent_only]
    for name in sorted(ours, key=lambda name: (name != "agent.version", name == "agent.pyz")):
        durable.remove_file(host, f"{LIB_DIR}/{name}")
    if host.exists(LIB_DIR) and not host.listdir(LIB_DIR):
        durable.remove_dir(host, LIB_DIR)
    if not agent_only:
        shutil.rmtree(host.path(VAR_DIR))
        durable.sync_dir(host, durable.split(VAR_DIR)[0])


def is_agent(name: str) -> bool:
    """Whether a file of the library directory is the agent's own."""
    return name.startswith(("agent.", ".agent."))


def give_back_boot(host: HostRoot) -> None:
    """The distribution's own menu: our default, our hook, then our entries go; the host boots at each point.

    Without a saved entry GRUB takes entry 0, which is ours until grub.cfg is written again, and the
    distribution's from then on.
    """
    if host.read(HFT_CFG) is None:
        return
    grubenv.update(host, saved_entry=None, next_entry=None)
    for path in (GRUB_D, DEFAULTS):
        durable.remove_file(host, path)
    regenerate(host, with_ours=False)
    durable.remove_file(host, HFT_CFG)
    checkpoint(host)
