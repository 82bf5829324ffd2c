"""What a key that reaches the agent alone may bring: the border (agent/border.py) by content, too.

A unit named like one of ours could still say `ExecStart=+/bin/sh`, tmpfiles.d could write any file, a word of
the kernel's line could be `init=`, and a program is whatever its bytes do. So a document that comes through
agent/verbs/gate.py is held to a closed grammar: the sections and directives that deploys render, each with a
pattern of its value, what has to stand there whatever else does, the kernel's words by name, programs by the
SHA-256 that root has listed, and nobody else's signers. Who has root's own way in is not held to it: he has a
shell. Neither is what is undone from the host's own journal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from agent import border
from agent.document import Boot, Document, FileStep
from agent.errors import RefusedError
from agent.host import HostRoot
from tuning import strict_json
from tuning.nic_table import KNOBS
from tuning.strict_json import ShapeError, Table
from tuning.sysctl_table import SYSCTL_NAMES
from tuning.units import UNIT_DIR

LIST = "/etc/hft/gate.json"  # what root has listed of `hft gate`
SCRIPTS, LISTED_PROGRAMS = "scripts", "programs"  # its keys
NARROW = "--narrow"  # the word that agent/verbs/gate.py adds
PROGRAMS = ("/usr/local/lib/hft/standin.py", "/usr/local/lib/hft/ticket.pyz")
SIGNERS = rf"/etc/hft/engine/{border.SLOT}/allowed_signers"
# Words that a plan adds to the kernel's line (tuning/plan/validity.py), and words of the host's own line that
# it may leave out (tuning/plan/taken_back.py); a test holds both against the planner's tables.
KERNEL_WORDS = frozenset(
    (
        *("isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity", "skew_tick", "tsc", "nmi_watchdog"),
        *("processor.max_cstate", "intel_idle.max_cstate", "rcutree.kthread_prio", "rcu_nocb_poll"),
        *("rcupdate.rcu_normal_after_boot", "rcutree.nohz_full_patience_delay", "pcie_aspm.policy"),
        *("intel_iommu", "iommu", "hugepagesz", "hugepages", "default_hugepagesz", "transparent_hugepage"),
    )
)
LEFT_OUT = frozenset(
    (
        *(
            "nohz",
            "highres",
            "clocksource",
            "notsc",
            "maxcpus",
            "nr_cpus",
            "possible_cpus",
            "nosmp",
            "noapic",
        ),
        *("nolapic", "intel_pstate", "amd_pstate", "cpufreq.off", "cgroup_disable", "systemd.cpu_affinity"),
        *(
            "systemd.unified_cgroup_hierarchy",
            "numa",
            "nosmt",
            "mitigations",
            "acpi",
            "pci",
            "mem",
            "hugetlb",
        ),
        *("systemd.mask", "systemd.unit", "1", "s", "S", "single", "rescue", "emergency", "-b", "init"),
        "amd_iommu",
    )
)
TEXT_MAX = 1 << 20
TEXT, NUMBER = "[ -~]{0,300}", "[0-9]{1,9}"
CPUS = "[0-9][0-9,-]{0,4000}"
CPUS_OR_NONE = f"(?:{CPUS})?"
SLOT, DIGEST = border.SLOT, "[0-9a-f]{64}"
RELEASE = f"/opt/hft/releases/{DIGEST}"
# Words of a command line (systemd.service(5), "Command lines"): in quotes what is escaped, never a lone `;`.
WORD = r"(?:(?!;(?: |$))[!#-&(-:<-\[\]-~;]+|\"(?:[ !#-\[\]-~]|\\[\\\"])*\")"
# The first word has no quotes and none of the wishes that stand before a program (`+`, `!`, `-`, `:`, `@`).
FIRST = r"[A-Za-z0-9/_][A-Za-z0-9/_.+-]{0,400}"
BIND = (
    r"\+/usr/bin/python3 -I -S /usr/local/lib/hft/ticket\.pyz nic bind [0-9a-f:.]{12} --owner hft-engine"
    r" --give-up [0-9.]{7,15}(?: --management=[A-Za-z0-9_.:@-]{1,40})*"
)
STANDIN = r"/usr/bin/python3 -I -S /usr/local/lib/hft/standin\.py"
GATE = re.escape("/run/hft/engine-may-start")

Section = Mapping[str, str]  # directive -> pattern of its value


@dataclass(frozen=True, slots=True, kw_only=True)
class Ini:
    """Sections with their directives, and lines without which such a file means something else."""

    sections: Mapping[str, Section]
    needed: frozenset[str] = field(default_factory=frozenset)


def drop_in(section: str) -> Ini:
    return Ini(sections={section: {"AllowedCPUs": CPUS_OR_NONE}})


OWN_SLICE = Ini(sections={"Unit": {"Description": TEXT}, "Slice": {"AllowedCPUs": CPUS_OR_NONE}})
MANAGER = Ini(sections={"Manager": {"CPUAffinity": CPUS_OR_NONE}})
_TRIAL = {"ConditionKernelCommandLine": r"\|!hft\.txn", "ConditionPathExists": rf"\|{GATE}"}
_UNIT = {"Description": TEXT, "Documentation": "https://[!-~]{1,200}"}
_INSTALL = {"WantedBy": "multi-user.target"}
STANDIN_UNIT = Ini(
    sections={
        "Unit": _UNIT | _TRIAL,
        "Service": {
            "Slice": r"hft-engine\.slice",
            "CPUAffinity": "%i",
            "ExecCondition": rf"\+{STANDIN} may-start %i",
            "ExecStart": f"{STANDIN} run %i",
            "Restart": "on-failure",
            "RestartSec": NUMBER,
            "DynamicUser": "yes",
            "CapabilityBoundingSet": "",
            "PrivateDevices": "yes",
            "ProtectHome": "yes",
            "ProtectSystem": "strict",
            "RestrictAddressFamilies": "AF_INET",
            "LimitMEMLOCK": "infinity",
            "StandardOutput": "null",
        },
        "Install": _INSTALL,
    },
    needed=frozenset({"DynamicUser=yes", "CapabilityBoundingSet="}),
)
_HARDENED = {
    **dict.fromkeys(
        (
            *("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateNetwork"),
            *("ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups"),
            *("ProtectClock", "ProtectHostname", "RestrictNamespaces", "RestrictRealtime", "PrivateMounts"),
            *("RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "RemoveIPC"),
        ),
        "yes",
    ),
    "ProtectSystem": "strict",
    "RestrictAddressFamilies": "AF_UNIX",
    "IPAddressDeny": "any",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "OOMScoreAdjust": "-900",
}
TICKET_UNIT = Ini(
    sections={
        "Unit": _UNIT,
        "Service": {
            **_HARDENED,
            "ExecStart": r"/usr/bin/python3 -I -S /usr/local/lib/hft/ticket\.pyz serve /etc/hft/ticket\.json"
            r" /run/hft-ticket/ticket\.sock",
            "Restart": "always",
            "RestartSec": NUMBER,
            "RuntimeDirectory": "hft-ticket",
            "CapabilityBoundingSet": "CAP_SYS_PTRACE CAP_DAC_READ_SEARCH",
        },
        "Install": _INSTALL,
    },
    needed=frozenset({"CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH", "NoNewPrivileges=yes"}),
)
_ENGINE_SERVICE = {
    **_HARDENED,
    "Type": "notify",
    "NotifyAccess": "main",
    "TimeoutStartSec": NUMBER,
    "TimeoutStopSec": NUMBER,
    "ExecStartPre": BIND,
    "ExecStart": rf"{FIRST}(?: {WORD})* --config %d/config",
    "ExecReload": r"/bin/kill -HUP \$MAINPID",
    "LoadCredential": rf"config:/etc/hft/engine/{SLOT}/config\.json",
    "Slice": r"hft-engine\.slice",
    "AllowedCPUs": CPUS,
    "CPUAffinity": CPUS,
    "NUMAPolicy": "preferred",
    "NUMAMask": CPUS,
    "LimitMEMLOCK": "infinity",
    "LimitRTPRIO": NUMBER,
    "MemorySwapMax": "0",
    "TimerSlackNSec": "1",
    "LimitCORE": "0",
    "WatchdogSec": NUMBER,
    "FileDescriptorStoreMax": NUMBER,
    "KillSignal": "SIGTERM",
    "KillMode": "mixed",
    "Restart": "on-failure",
    "RestartSec": NUMBER,
    "RestartPreventExitStatus": "[0-9 ]{1,40}",
    "User": "hft-engine",
    "Group": "hft-engine",
    "RuntimeDirectory": f"hft-engine-{SLOT}",
    "RuntimeDirectoryMode": "0750",
    "StateDirectory": f"hft-engine-{SLOT}",
    "StateDirectoryMode": "0750",
    "UMask": "0077",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectProc": "invisible",
    "DevicePolicy": "auto|closed",
}
ENGINE_UNIT = Ini(
    sections={
        "Unit": {
            **_UNIT,
            **_TRIAL,
            "Wants": r"hft-ticket\.service",
            "After": r"network\.target hft-ticket\.service",
            "StartLimitIntervalSec": NUMBER,
            "StartLimitBurst": NUMBER,
        },
        "Service": _ENGINE_SERVICE,
        "Install": _INSTALL,
    },
    needed=frozenset(
        {"User=hft-engine", "Group=hft-engine", "NoNewPrivileges=yes", "CapabilityBoundingSet="}
    ),
)
# By the path, as border.FILES names it; the first that fits.
PORT_LINK = Ini(
    sections={
        "Match": {"Path": r"pci-[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"},
        "Link": {
            "NamePolicy": "keep kernel database onboard slot path",
            "AlternativeNamesPolicy": "database onboard slot path",
            "MACAddressPolicy": "persistent",
            **{knob.link: "[0-9]{1,9}(?:us)?|yes|no|off" for knob in KNOBS.values() if knob.link},
        },
    },
    needed=frozenset({"MACAddressPolicy=persistent", "NamePolicy=keep kernel database onboard slot path"}),
)
INIS: tuple[tuple[str, Ini], ...] = (
    (rf"/etc/systemd/network/98-hft-{border.NIC}\.link", PORT_LINK),
    (re.escape("/etc/systemd/system.conf.d/90-hft.conf"), MANAGER),
    *((re.escape(f"{UNIT_DIR}/{name}"), OWN_SLICE) for name in border.OWN_SLICES),
    (rf"{UNIT_DIR}/[^/]+\.slice\.d/90-hft\.conf", drop_in("Slice")),
    (rf"{UNIT_DIR}/[^/]+\.scope\.d/90-hft\.conf", drop_in("Scope")),
    (rf"{UNIT_DIR}/[^/]+\.service\.d/90-hft\.conf", drop_in("Service")),
    (re.escape(f"{UNIT_DIR}/hft-standin@.service"), STANDIN_UNIT),
    (re.escape(f"{UNIT_DIR}/hft-ticket.service"), TICKET_UNIT),
    (rf"{UNIT_DIR}/hft-engine-{SLOT}\.service", ENGINE_UNIT),
)
SYSCTL_CONF, TMPFILES_CONF = "/etc/sysctl.d/90-hft.conf", "/etc/tmpfiles.d/90-hft.conf"
TICKET_JSON = "/etc/hft/ticket.json"
DOCUMENTS = ("/var/lib/hft/plan.json", TICKET_JSON)
_SYSCTL = re.compile(rf"({'|'.join(map(re.escape, SYSCTL_NAMES))}) = [ -~]{{1,300}}")
_TMPFILES = re.compile(r"w (/[!-~]{1,300}) - - - - [ -~]{1,8192}")


def listed(host: HostRoot, kind: str) -> frozenset[str]:
    """The digests of a kind that root has listed; none where there is no list, or it is none."""
    try:
        found = strict_json.parse(host.read(LIST) or "{}")
    except ValueError:
        return frozenset()
    given = found.get(kind) if isinstance(found, dict) else None
    return frozenset(one for one in given if isinstance(one, str)) if isinstance(given, list) else frozenset()


def check(host: HostRoot, document: Document) -> None:
    """RefusedError (bad_document) with the first thing that such a key may not bring."""
    programs = listed(host, LISTED_PROGRAMS)
    for step in document.steps:
        if isinstance(step, FileStep) and step.content is not None:
            why = fault(step.path, step.content, programs) or signers_fault(host, step)
            if why is not None:
                raise RefusedError("bad_document", f"{step.path}: {why}; this key reaches the agent alone")
    for word in [] if document.boot is None else strange_words(document.boot):
        sentence = f"{word[:80]!r} is no kernel argument of a plan; this key reaches the agent alone"
        raise RefusedError("bad_document", sentence)


def strange_words(boot: Boot) -> Iterator[str]:
    """Words that no plan adds to the kernel's line, or takes from the host's own."""
    for words, known in ((boot.args, KERNEL_WORDS), (boot.without, LEFT_OUT)):
        alike = {one.replace("-", "_") for one in known}
        yield from (word for word in words if word.partition("=")[0].replace("-", "_") not in alike)


def signers_fault(host: HostRoot, step: FileStep) -> str | None:
    """Who may sign limits is set by the first deploy, and by root after that."""
    if not re.fullmatch(SIGNERS, step.path):
        return None
    there = host.read(step.path)
    same = there is None or there.encode("utf-8", "surrogateescape") == step.content
    return None if same else "who may sign is changed by root alone"


def fault(path: str, content: bytes, programs: Collection[str] = ()) -> str | None:
    """Why this content may not stand there; None when it may."""
    if path in PROGRAMS:
        return program_fault(hashlib.sha256(content).hexdigest(), programs)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "it is no text"
    if path in DOCUMENTS or re.fullmatch(border.SECRETS, path):
        return _document_fault(path, content)
    for pattern, ini in INIS:
        if re.fullmatch(pattern, path):
            return _ini_fault(text, ini)
    if path in {SYSCTL_CONF, TMPFILES_CONF}:
        return next((why for line in _told(text) if (why := _line_fault(path, line))), None)
    return None


def program_fault(digest: str, listed: Collection[str]) -> str | None:
    """Why this program may not be brought; None when root has listed it."""
    if digest in listed:
        return None
    return "it is no program that root has listed in /etc/hft/gate.json; bring the list of `hft gate` there"


def _told(text: str) -> list[str]:
    """The lines that say something: no blank one, no comment."""
    return [line for line in text.split("\n") if line.strip() and (line[0] not in "#;" or line[-1] == "\\")]


def _line_fault(path: str, line: str) -> str | None:
    if path == SYSCTL_CONF:
        return None if _SYSCTL.fullmatch(line) else f"{line[:60]!r} sets no value of a plan"
    found = _TMPFILES.fullmatch(line)
    if found is None or not any(border.rules_of_value(found[1].replace("%%", "%"))):
        return f"{line[:60]!r} writes no value of a plan"
    return None


def _ini_fault(text: str, ini: Ini) -> str | None:
    section: Section | None = None
    seen = set()
    for line in _told(text):
        if line[0] == "[" and line.endswith("]"):
            section = ini.sections.get(line[1:-1])
            if section is None:
                return f"it has no section {line[:40]!r}"
            continue
        name, equals, value = line.partition("=")
        pattern = section.get(name) if section is not None else None
        if not equals or pattern is None or re.fullmatch(pattern, value) is None:
            return f"{line[:60]!r} is no line of it"
        seen.add(line)
    lacking = sorted(ini.needed - seen)
    return f"it lacks {lacking[0]!r}" if lacking else None


def _document_fault(path: str, content: bytes) -> str | None:
    try:
        found = Table.of(strict_json.parse(content, size_max=TEXT_MAX * 4))
        if path == TICKET_JSON:
            _check_ticket(found)
    except ShapeError as error:
        return f"{error}"
    return None


def _check_ticket(found: Table) -> None:
    """What the ticket issuer, which is root, is told to read and to vouch for."""
    found.closed(("host", "key", "slots"))
    if found.text("key") != "/etc/hft/ticket.key":
        raise ShapeError("key: another file than the issuer's own")
    for name, slot in found.tables("slots"):
        slot.closed(("release", "config", "limits", "user"))
        wanted = {
            "release": RELEASE,
            "config": rf"/etc/hft/engine/{re.escape(name)}/config\.json",
            "limits": rf"/etc/hft/engine/{re.escape(name)}/limits\.json",
            "user": "hft-engine",
        }
        if not re.fullmatch(SLOT, name):
            raise ShapeError("slots: a name that is none of a slot")
        for key, pattern in wanted.items():
            if not re.fullmatch(pattern, slot.text(key)):
                raise ShapeError(f"slots.{name}.{key}: not as a deploy writes it")
