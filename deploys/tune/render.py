"""Plan -> files. Pure: the same plan gives the same bytes, and every setting is written below its why.

Each file belongs to one concern (the operation that brings it), carries our number 90 and our name, and is
written whole: a drop-in directory is shared ground, a file in it is ours. Templates come from the package and
never from a host, undefined names are errors, and values that reach a file have been typed and checked by the
planner. sysctl.d(5), tmpfiles.d(5), systemd-system.conf(5) and systemd.resource-control(5) define the
targets.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from deploys.paths import (
    ENGINE_SLICE,
    GATE,
    NETWORK_DIR,
    PID1_CONF,
    PLAN_FILE,
    STANDIN_PROGRAM,
    STANDIN_UNIT,
    SYSCTL_CONF,
    SYSTEMD_DIR,
    TMPFILES_CONF,
)
from tuning import grammar
from tuning.nic_table import KNOBS
from tuning.plan.plan import Plan
from tuning.plan.setting import NicParameter, Pid1Affinity, SliceCpus, Sysctl, SysfsValue

if TYPE_CHECKING:
    import jinja2

Concern = Literal[
    "boot", "sysctl", "sysfs", "nic", "irq", "slices", "services", "irqbalance", "engine", "record"
]
DESCRIPTIONS = {
    "hft-engine.slice": "Trading engine threads on isolated CPUs",
    "hft-monitoring.slice": "Monitoring, kept on housekeeping CPUs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFile:
    """One whole file of a host."""

    path: str
    content: str
    concern: Concern
    why: str
    mode: int = 0o644

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes that land on disk."""
        return hashlib.sha256(self.content.encode()).hexdigest()


def render(plan: Plan, *, standins: bool) -> tuple[RenderedFile, ...]:
    """Every file of a plan, sorted by path; those of the stand-ins only for a host that carries them."""
    files = [
        *_values(plan),
        *_slices(plan),
        *_links(plan),
        *(_standin(plan) if standins else []),
        _record(plan),
    ]
    return tuple(sorted(files, key=lambda file: file.path))


def _values(plan: Plan) -> list[RenderedFile]:
    sysctls = sorted((s for s in plan.settings if isinstance(s, Sysctl)), key=lambda s: s.key)
    values = sorted((s for s in plan.settings if isinstance(s, SysfsValue)), key=lambda s: s.path)
    found = []
    if sysctls:
        text = fill("sysctl.conf.j2", settings=sysctls)
        why = "keeps the planned sysctls after a reboot"
        found.append(RenderedFile(path=SYSCTL_CONF, content=text, concern="sysctl", why=why))
    if values:
        text = fill("tmpfiles.conf.j2", settings=values)
        why = "keeps the planned values of /sys and /proc after a reboot"
        found.append(RenderedFile(path=TMPFILES_CONF, content=text, concern="sysfs", why=why))
    return found


def _slices(plan: Plan) -> list[RenderedFile]:
    found = []
    for setting in plan.settings:
        if isinstance(setting, Pid1Affinity):
            text = fill("pid1.conf.j2", setting=setting)
            found.append(RenderedFile(path=PID1_CONF, content=text, concern="slices", why=setting.why))
        elif isinstance(setting, SliceCpus):
            text = fill(
                "slice.conf.j2",
                setting=setting,
                description=DESCRIPTIONS.get(setting.slice, ""),
                section=setting.slice.rpartition(".")[2].capitalize(),
            )
            path = slice_file(setting.slice)
            found.append(RenderedFile(path=path, content=text, concern="slices", why=setting.why))
    return found


def _links(plan: Plan) -> list[RenderedFile]:
    """One file for each port that udev can find by its PCI address; the others wait for hft-irqs."""
    ports: dict[tuple[str, str], list[NicParameter]] = {}
    for setting in plan.settings:
        if isinstance(setting, NicParameter) and setting.pci and KNOBS[setting.knob].link:
            ports.setdefault((setting.device, setting.pci), []).append(setting)
    why = "the port has its planned parameters before it is up: a boot needs no second reset of it"
    return [
        RenderedFile(
            path=f"{NETWORK_DIR}/98-hft-{device}.link",
            content=fill("nic.link.j2", pci=pci, lines=[_link_line(one) for one in settings]),
            concern="nic",
            why=why,
        )
        for (device, pci), settings in ports.items()
    ]


def _link_line(setting: NicParameter) -> dict[str, str]:
    knob = KNOBS[setting.knob]
    return {"key": knob.link, "value": knob.link_value(int(setting.value)), "why": setting.why}


def slice_file(name: str) -> str:
    """Where the CPUs of a slice are written: our own slices whole, the system's as a drop-in."""
    return f"{SYSTEMD_DIR}/{name}" if name in DESCRIPTIONS else f"{SYSTEMD_DIR}/{name}.d/90-hft.conf"


def _standin(plan: Plan) -> list[RenderedFile]:
    if not plan.cpus_of("engine", "poll"):
        return []
    unit = fill("standin.service.j2", program=STANDIN_PROGRAM, gate=GATE)
    why = f"the stand-in for the engine, one instance for each engine and poll CPU, in {ENGINE_SLICE}"
    return [
        RenderedFile(path=STANDIN_UNIT, content=unit, concern="engine", why=why),
        RenderedFile(path=STANDIN_PROGRAM, content=standin_program(), concern="engine", why=why),
    ]


def standin_program() -> str:
    """The text of the stand-in."""
    return resources.files("engine.host").joinpath("standin.py").read_text(encoding="utf-8")


def _record(plan: Plan) -> RenderedFile:
    why = "the plan this host follows, for checks and for the next controller"
    return RenderedFile(path=PLAN_FILE, content=plan.to_json() + "\n", concern="record", why=why)


def fill(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


def prepare() -> None:
    """Load and compile every template, so that whoever waits for hosts need not wait for this after them."""
    environment = _environment()
    for name in environment.list_templates(extensions=["j2"]):
        environment.get_template(name)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("deploys"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # configuration files, not HTML; values are typed and checked
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_one_line,
    )
    environment.filters["comment"] = comment
    environment.filters["specifiers"] = lambda text: text.replace("%", "%%")
    return environment


class Comment(str):
    """Lines of a comment: the only value of a template that may be more than one line."""

    __slots__ = ()


@lru_cache(maxsize=1024)
def comment(text: str) -> Comment:
    """TEXT as comment lines; whatever it contains, no line of it can become a setting."""
    lines: Sequence[str] = textwrap.wrap(" ".join(text.split()), 98) or [""]
    return Comment("\n".join(f"# {line}" for line in lines))


def _one_line(value: object) -> object:
    """What a template is about to write; ValueError for a text that could become a line of its own."""
    if not isinstance(value, Comment) and not grammar.ONE_LINE.fullmatch(str(value)):
        raise ValueError(f"a template takes one printable line, not {str(value)[:80]!r}")
    return value
