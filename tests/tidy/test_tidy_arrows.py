"""The contracts of import-linter, each proven by an import that breaks it; and which modules are pure."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support import planted
from tests.support.checkout import ROOT, tracked
from tests.support.house import House, of_the_checkout, read

CONFIG = ROOT / "pyproject.toml"
SETTINGS: dict[str, Any] = tomllib.loads(CONFIG.read_text())["tool"]["importlinter"]


class Planted(NamedTuple):
    """An import that must break this contract, and none of another room."""

    contract: str
    file: str
    line: str


PLANTED = (
    Planted(
        "no circle, in any room",
        "tuning/cpuset.py",
        "import tuning.compliance.cmdline",
    ),
    Planted(
        "DECIDE: the pure room stands on nothing",
        "tuning/cpuset.py",
        "import lab.errors",
    ),
    Planted(
        "DECIDE: the pure room stands on nothing",
        "tuning/errors.py",
        "def later() -> None:\n    import transport.errors",
    ),
    Planted(
        "a snapshot knows no topology",
        "tuning/snapshot/capture.py",
        "from tuning.topology import topology",
    ),
    Planted(
        "a topology knows no plan",
        "tuning/topology/topology.py",
        "from tuning.plan.profile import Profile",
    ),
    Planted(
        "a plan is made from a topology and a profile, never from a snapshot",
        "tuning/plan/planner.py",
        "import tuning.snapshot.files",
    ),
    Planted(
        "a clock is decided from what a person said and the CPUs that it gets",
        "tuning/clock/wish.py",
        "from tuning.plan.profile import Ports",
    ),
    Planted(
        "a host's clock is decided without an engine, a trial or pyinfra",
        "deploys/clock/files.py",
        "from deploys.trial import states",
    ),
    Planted(
        "THE WAY: the SSH client stands on nothing",
        "transport/options.py",
        "from inventory.model import Host",
    ),
    Planted(
        "PLACE: the lab stands on nothing but the way to a VM",
        "lab/errors.py",
        "import hft.errors",
    ),
    Planted(
        "PAYLOAD: the engine stands on nothing",
        "engine/__init__.py",
        "import tuning.cpuset",
    ),
    Planted(
        "the contract knows nobody who keeps or judges it",
        "engine/contract/clause.py",
        "import engine.conformance.errors",
    ),
    Planted(
        "the independent engine shares no line with contract or suite",
        "engine/independent/wire.py",
        "from engine.contract.clause import Clause",
    ),
    Planted(
        "the suite judges any engine: it knows the contract alone",
        "engine/conformance/errors.py",
        "from engine.independent import wire",
    ),
    Planted(
        "what runs on an engine's host knows no engine",
        "engine/host/places.py",
        "import engine.toolchain.build",
    ),
    Planted(
        "the ticket issuer knows how documents are digested, nothing else",
        "engine/ticket/errors.py",
        "from engine.contract import clause",
    ),
    Planted(
        "DECIDE: who may trade is decided from values alone",
        "failover/epochs.py",
        "from engine.ticket import epoch",
    ),
    Planted(
        "MONITORING: rules and routing are data that stand on nothing",
        "monitoring/metric.py",
        "import inventory.model",
    ),
    Planted(
        "DECIDE: whether a release goes on is decided from values alone",
        "release/windows.py",
        "from hft import errors",
    ),
    Planted(
        "WHO: an inventory knows profiles, and the lab as one more site",
        "inventory/errors.py",
        "from agent import errors",
    ),
    Planted(
        "ON HOST: the agent takes values of the pure room",
        "agent/errors.py",
        "import tuning.plan.planner",
    ),
    Planted(
        "ON HOST: the agent takes values of the pure room",
        "agent/errors.py",
        "from engine.host import places",
    ),
    Planted(
        "the boot is changed without knowing the transaction around it",
        "agent/boot/grubenv.py",
        "import agent.lock",
    ),
    Planted(
        "a transaction knows no verb",
        "agent/transaction/outcome.py",
        "import agent.health.tick_probe",
    ),
    Planted(
        "ACT: of the agent only how it is built, where it keeps things and how its record reads",
        "deploys/rollout/outcome.py",
        "from agent.transaction import journal",
    ),
    Planted(
        "ACT: of the agent only how it is built, where it keeps things and how its record reads",
        "deploys/site.py",
        "import drills.boot_faults",
    ),
    Planted(
        "the agent's client knows nothing of what is sent through it",
        "deploys/agent_client/call.py",
        "import inventory.model",
    ),
    Planted(
        "one host's changes are decided without a trial, a rollout or pyinfra",
        "deploys/tune/document.py",
        "from engine.contract import clause",
    ),
    Planted(
        "one host's changes are decided without a trial, a rollout or pyinfra",
        "deploys/tune/document.py",
        "from deploys.rollout import outcome",
    ),
    Planted(
        "a trial boot knows one host",
        "deploys/trial/states.py",
        "from deploys.rollout import outcome",
    ),
    Planted(
        "a slot's changes are decided without a rollout or pyinfra",
        "deploys/slot/files.py",
        "from deploys.trial import states",
    ),
    Planted(
        "PROVE takes values only: nothing of what plans, parses or acts",
        "checks/verdict.py",
        "import tuning.compliance.diff",
    ),
    Planted(
        "PROVE takes values only: nothing of what plans, parses or acts",
        "checks/topics.py",
        "from tuning.plan import partition",
    ),
    Planted(
        "PROVE takes values only: nothing of what plans, parses or acts",
        "checks/topics.py",
        "from tuning.compliance.cmdline import parse_cmdline",
    ),
    Planted(
        "faults on purpose stand outside of what runs in production",
        "drills/power_faults.py",
        "import checks.verdict",
    ),
    Planted(
        "ACT: a stack makes hosts, it never tunes or checks one",
        "stacks/errors.py",
        "from deploys.tune import document",
    ),
    Planted(
        "the language host stands in for Pulumi's: it knows nothing of ours",
        "stacks/language/leash.py",
        "from stacks.errors import StackError",
    ),
    Planted(
        "the runner knows no project",
        "stacks/runner/checkpoint.py",
        "from stacks.rehearsal import objects",
    ),
    Planted(
        "hosts of a lab know the lab, how an inventory has them, and the runner's words",
        "stacks/lab/hosts.py",
        "from stacks.rehearsal import objects",
    ),
    Planted(
        "HALL: the verbs know every room but the benchmarks",
        "hft/errors.py",
        "from agent.transaction import journal",
    ),
    Planted(
        "HALL: the verbs know every room but the benchmarks",
        "hft/signals.py",
        "import bench.errors",
    ),
    Planted(
        "a view is shown, it does nothing",
        "hft/views/topology.py",
        "from deploys.rollout import rollout",
    ),
    Planted(
        "a remedy reaches what restarts and what kills, nothing that raises risk",
        "hft/remedies/run.py",
        "from hft.runbooks import moves",
    ),
    Planted(
        "benchmarks drive the rooms that they measure",
        "bench/errors.py",
        "import checks.verdict",
    ),
    Planted(
        "a BMC of the lab knows the lab, and no project",
        "stacks/bmc/systems.py",
        "import stacks.colo.order",
    ),
    Planted(
        "bare metal knows its machines through their BMCs alone",
        "stacks/colo/machine.py",
        "import lab.bare",
    ),
    Planted(
        "what a stack decides stands on nothing",
        "stacks/core/errors.py",
        "from inventory import errors",
    ),
    Planted(
        "a policy pack only adapts the rules",
        "stacks/policy/pack.py",
        "from stacks import standby_aws",
    ),
    Planted(
        "the standby on AWS knows what was decided, and no stand-in",
        "stacks/standby_aws/tags.py",
        "from stacks.aws_standin import tables",
    ),
    Planted(
        "the stand-in for AWS knows no project",
        "stacks/aws_standin/tables.py",
        "from stacks.core import facts",
    ),
)

CIRCLE = "no circle, in any room"  # an arrow against the layers often closes one

# What a module that claims to be pure must not lead to: processes, sockets, threads, and what brings them.
IMPURE = ("subprocess", "socket", "threading", "gevent", "paramiko", "pyinfra", "asyncio")
# Modules held pure; a package holds all that is in it. Whatever calls itself "Pure" has to be here.
PURE = (
    *("agent.boot.states", "agent.record"),
    *("checks.clock", "checks.verdict"),
    *(f"deploys.clock.{name}" for name in ("changes", "decide", "files")),
    *("deploys.agent_client.record", "deploys.trial.states"),
    *(
        f"deploys.tune.{name}"
        for name in ("changes", "document", "host_changes", "host_state", "render", "undo")
    ),
    *(
        f"deploys.slot.{name}"
        for name in ("config", "files", "limits", "placement", "compatibility", "undeploy", "unit")
    ),
    *("deploys.rollout.outcome", "deploys.slot.slot_changes"),
    "failover",
    *("inventory.power_evidence", "inventory.selection"),
    "stacks.core",
    "lab.mirror",
    *("hft.audit", "hft.run_lines", "hft.runbooks.past"),
    "monitoring",
    "release",
    *(f"stacks.colo.{name}" for name in ("console", "flow", "order")),
    *("stacks.rehearsal.graph", "stacks.runner.checkpoint", "stacks.runner.settle", "stacks.runner.versions"),
    *("transport.errors", "transport.sanitize"),
    "tuning",
)
# Decide purely and say so, but import values from a module that also acts: what to take apart, by module.
NOT_YET: dict[str, str] = {}
CLAIM = re.compile(r"\bPure\b(?! Python)")


def planted_each(folder: Path) -> list[list[str]]:
    """The broken contracts: first with nothing planted, then for each row of PLANTED."""
    for path in tracked(*(f"{package}/*.py" for package in SETTINGS["root_packages"])):
        copied = folder / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    done = subprocess.run(
        [sys.executable, planted.__file__, str(CONFIG), str(folder)],
        input=json.dumps([(row.file, row.line) for row in PLANTED]),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[list[str]] = json.loads(done.stdout)
    return answers


def test_a_planted_import_breaks_its_contract_and_no_other(tmp_path: Path) -> None:
    nothing, *each = planted_each(tmp_path)
    assert nothing == []
    wrong = [
        f"{row.file}: {row.line!r} breaks {names or 'nothing'}, not {row.contract!r} alone"
        for row, names in zip(PLANTED, each, strict=True)
        if row.contract not in names or not {*names} <= {row.contract, CIRCLE}
    ]
    assert not wrong, "\n".join(wrong)


def test_every_contract_has_a_planted_import() -> None:
    assert {row.contract for row in PLANTED} == {one["name"] for one in SETTINGS["contracts"]}


@pytest.fixture(scope="module")
def checkout() -> House:
    return of_the_checkout()


def test_pure_modules_lead_to_no_process_socket_or_thread(checkout: House) -> None:
    assert not [name for name in PURE if not checkout.below(name)], "no such module"
    ways = [checkout.way_to(module, IMPURE) for name in PURE for module in checkout.below(name)]
    assert not any(ways), "\n".join(" -> ".join(way) for way in ways if way)


def test_what_is_not_pure_yet_still_leads_through_the_module_it_names(checkout: House) -> None:
    """Once the named module is taken apart, or no longer imported, the other belongs in PURE."""
    assert not [name for name, cause in NOT_YET.items() if cause not in checkout.way_to(name, IMPURE)]


def test_whatever_calls_itself_pure_is_held_to_it(checkout: House) -> None:
    assert unheld(checkout) == []


def unheld(house: House) -> list[str]:
    """The modules that claim purity and are neither in PURE nor in NOT_YET."""
    held = {module for name in PURE for module in house.below(name)} | NOT_YET.keys()
    return [
        name for name, module in house.modules.items() if CLAIM.search(module.docstring) and name not in held
    ]


def test_a_claim_of_purity_is_noticed() -> None:
    files = {
        "hft/first.py": '"""Reads a line. Pure: values in."""\n',
        "hft/second.py": '"""Impure."""\n',
        "tuning/third.py": '"""Pure."""\n',
        "deploys/tune/render.py": '"""Pure."""\n',
    }
    assert unheld(read({**files, "tuning/__init__.py": ""})) == ["hft.first"]


@pytest.mark.parametrize("name", IMPURE)
def test_a_planted_impure_import_is_found_far_below(name: str) -> None:
    files = {
        "deploys/tune/render.py": "from transport.sanitize import shown\n",
        "transport/sanitize.py": "def shown() -> None:\n    import inventory.model\n",
        "inventory/__init__.py": f"from {name}.deep import one\n",
        "inventory/model.py": "",
    }
    way = read(files).way_to("deploys.tune.render", IMPURE)
    assert way == ("deploys.tune.render", "transport.sanitize", "inventory", f"{name}.deep.one")
