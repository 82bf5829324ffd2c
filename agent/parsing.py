"""Strict parsing of a transaction document, the host's trust boundary.

The document is all that the controller sends to the host: a closed list of step kinds, only the files, values
and units of agent/border.py, no control characters, numbers within bounds, a size limit, and no unknown keys.
An inverse document is read from the agent's own root-only journal, never from standard input: it is held to
the roots below, which are those of every file that a version of hft has sent. GRUB's files are none of them:
only agent/boot writes those.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args

from agent import border
from agent.document import (
    KIND_BY_TYPE,
    SCHEMA,
    Boot,
    Document,
    Effect,
    FileStep,
    IrqsStep,
    KthreadsStep,
    NicStep,
    PrioritiesStep,
    Step,
    UnitStep,
    ValueStep,
    target_of,
)
from agent.errors import RefusedError
from agent.paths import NOT_TEXT, PLAN_FILE, STATE_FILE
from tuning import grammar, strict_json
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.kernel_threads import FIFO_PRIORITY_MAX, Threads
from tuning.nic_table import KNOBS, NIC_VALUE_MAX, WORDS_MAX, Value

DOCUMENT_BYTES_MAX = 4 << 20
STEPS_MAX = 2000
VALUE_ROOTS = ("/proc/sys/", "/proc/irq/", "/sys/")
FILE_ROOTS = (
    *("/etc/chrony/", "/etc/hft/", "/etc/linuxptp/", "/etc/sysctl.d/", "/etc/systemd/", "/etc/tmpfiles.d/"),
    "/usr/local/lib/hft/",
)
FILE_EXACT = (PLAN_FILE,)
AGENT_FILES = re.compile(r"/usr/local/lib/hft/(agent\.pyz.*|agent\.version)\Z")
COMPARES = ("text", "cpulist", "cpumask", "choice")
ENABLED = ("masked", "enabled", "disabled")
TXN = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}\Z")
HEX32 = re.compile(r"[0-9a-f]{32}\Z")
HEX64 = re.compile(r"[0-9a-f]{64}\Z")
DEVICE = re.compile(r"(?!\.{1,2}\Z)[!-.0-~]{1,15}\Z")  # IFNAMSIZ, and nothing that leads out of a directory
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z")
UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,199}\.(service|slice|timer|socket|target|path|mount)\Z")
PATH = re.compile(r"(/[A-Za-z0-9_.@:+,\\-]{1,255}){1,40}\Z")
KERNEL_WORD = re.compile(
    r"(?!-)[A-Za-z0-9_.,:=/+@%-]{1,1024}\Z"
)  # nothing that GRUB's shell or the kernel would split on, and no `--`, which ends what the kernel reads


class Reader:
    """One JSON object whose keys must all be read: what is left over is an unknown key."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise bad(f"{where} must be an object")
        self.raw = raw
        self.where = where
        self.asked: set[str] = set()

    def get(self, key: str, kinds: tuple[type, ...], *, default: Any = ...) -> Any:
        """The value of KEY, one of KINDS (bool is not an int here)."""
        self.asked.add(key)
        if key not in self.raw:
            if default is ...:
                raise bad(f"{self.where} lacks {key!r}")
            return default
        value = self.raw[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise bad(f"{self.where}: {key!r} has the wrong type {type(value).__name__}")
        return value

    def text(self, key: str, pattern: re.Pattern[str], *, optional: bool = False) -> Any:
        """A string that matches PATTERN, or None where optional."""
        value = self.get(key, (str, type(None)) if optional else (str,))
        if value is not None and not pattern.match(value):
            raise bad(f"{self.where}: {key!r} has the invalid value {value[:80]!r}")
        return value

    def number(self, key: str, low: int, high: int) -> int:
        """An integer from LOW to HIGH."""
        value = self.get(key, (int,))
        if not low <= value <= high:
            raise bad(f"{self.where}: {key!r} is {value}, but must be from {low} to {high}")
        return int(value)

    def cpus(self, key: str) -> CpuSet:
        """A CPU list with at least one CPU."""
        text = self.get(key, (str,))
        try:
            found = CpuSet.parse_list(text)
        except CpuListError as error:
            raise bad(f"{self.where}: {key!r} is not a CPU list: {text[:80]!r}") from error
        if not found:
            raise bad(f"{self.where}: {key!r} names no CPU")
        return found

    def mapping(self, key: str) -> Mapping[str, str] | None:
        """An object from text to text, or nothing."""
        value = self.get(key, (dict, type(None)), default=None)
        if value is not None and not all(isinstance(item, str) for item in value.values()):
            raise bad(f"{self.where}: {key!r} must map text to text")
        return value  # type: ignore[no-any-return]

    def done(self) -> None:
        """Refuse keys that were not read: a typo must not be silently ignored."""
        unknown = sorted(set(self.raw) - self.asked)
        if unknown:
            raise bad(f"{self.where} has the unknown key {unknown[0]!r}")


def outside(reader: Reader, what: str) -> RefusedError:
    """The refusal of what no plan and no deploy of this version brings."""
    return bad(f"{reader.where}: {what} is nothing that a plan or a deploy brings to a host")


def bad(message: str) -> RefusedError:
    """The refusal of an invalid document."""
    return RefusedError("bad_document", message)


def parse(data: bytes, *, inverse: bool = False) -> Document:
    """Parse a document; `inverse` also allows what only the agent's own journal may contain."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise bad(f"the document is larger than {DOCUMENT_BYTES_MAX} bytes")
    try:
        raw = strict_json.parse(data, size_max=DOCUMENT_BYTES_MAX)
    except ValueError as error:
        raise bad(f"the document is not JSON: {error}") from error
    reader = Reader(raw, "document")
    if reader.get("schema", (int,)) != SCHEMA:
        raise bad(f"the document is of another schema, and this agent reads {SCHEMA}")
    steps = reader.get("steps", (list,))
    if len(steps) > STEPS_MAX:
        raise bad(f"the document has {len(steps)} steps, more than {STEPS_MAX}")
    boot = reader.get("boot", (dict, type(None)))
    document = Document(
        txn=reader.text("txn", TXN) if inverse else named(reader.text("txn", TXN)),
        host=reader.text("host", NAME),
        machine_id=reader.text("machine_id", HEX32),
        plan_hash=reader.text("plan_hash", HEX64, optional=inverse),
        topology_digest=reader.text("topology_digest", HEX64, optional=inverse),
        steps=tuple(parse_step(step, f"step {index}", inverse) for index, step in enumerate(steps)),
        boot=None if boot is None else parse_boot(boot),
        reverts=reader.text("reverts", TXN, optional=True) if inverse else None,
    )
    reader.done()
    refuse_twice(document)
    return document


def named(txn: str) -> str:
    """A name whose time is one, and far from the end of all times: the next name has to come after it."""
    try:
        datetime.strptime(txn[:15], "%Y%m%dT%H%M%S")  # only whether it is one
    except ValueError as error:
        raise bad(f"{txn} is named after no time") from error
    if txn >= "9":
        raise bad(f"{txn} is named after a time that no clock shows")
    return txn


def refuse_twice(document: Document) -> None:
    """One step per target: the before-image of a second one would be wrong."""
    seen: set[tuple[str, str]] = set()
    for index, step in enumerate(document.steps):
        key = (KIND_BY_TYPE[type(step)], target_of(step))
        if key in seen:
            raise bad(f"step {index} changes {key[1]} a second time")
        seen.add(key)


def parse_step(raw: object, where: str, inverse: bool) -> Step:
    """One step, of one of the known kinds."""
    reader = Reader(raw, where)
    kind = reader.get("kind", (str,))
    why = reader.get("why", (str,))
    if not inverse and not grammar.ONE_LINE.fullmatch(why):
        raise bad(f"{where}: 'why' is no line of text: {why[:80]!r}")
    step: Step
    match kind:
        case "file":
            step = parse_file(reader, why, inverse)
        case "value":
            step = parse_value(reader, why, inverse)
        case "irqs":
            irqs = reader.mapping("irqs") if inverse else None
            device = reader.text("device", DEVICE, optional=True) if "device" in reader.raw else None
            step = IrqsStep(cpus=reader.cpus("cpus"), why=why, device=device, irqs=irqs)
        case "kthreads":
            threads = reader.mapping("threads") if inverse else None
            step = KthreadsStep(cpus=reader.cpus("cpus"), why=why, threads=threads)
        case "nic":
            step = parse_nic(reader, why, inverse)
        case "priorities":
            step = parse_priorities(reader, why, inverse)
        case "unit":
            step = parse_unit(reader, why, inverse)
        case _:
            raise bad(f"{where} has the unknown kind {kind[:40]!r}")
    reader.done()
    return step


def checked_path(reader: Reader, roots: tuple[str, ...], exact: tuple[str, ...] = ()) -> str:
    """A path below one of ROOTS, or one of EXACT, with no `.` or `..` in it."""
    path: str = reader.text("path", PATH)
    if any(part in {".", ".."} for part in path.split("/")):
        raise bad(f"{reader.where}: {path} contains . or ..")
    if path not in exact and not path.startswith(roots):
        raise bad(f"{reader.where}: {path} is not a path the agent may write")
    return path


def parse_file(reader: Reader, why: str, inverse: bool) -> FileStep:
    """A file step; content is UTF-8 text, or base64 of any bytes."""
    path = checked_path(reader, FILE_ROOTS, (*FILE_EXACT, STATE_FILE) if inverse else FILE_EXACT)
    if AGENT_FILES.match(path) or ".hft-" in path:
        raise bad(f"{reader.where}: {path} belongs to the agent itself")
    mode = reader.number("mode", 0, 0o777)
    before = seen_before(reader, inverse)
    if before is not None and before not in {"absent", NOT_TEXT} and not HEX64.match(before):
        raise bad(f"{reader.where}: 'before' must be a SHA-256, 'absent' or '{NOT_TEXT}'")
    encoded = reader.get("content_base64", (str, type(None)), default=None)
    content = reader.get(
        "content", (str, type(None)), default=None if inverse or encoded is not None else ...
    )
    if content is not None and encoded is not None:
        raise bad(f"{reader.where}: 'content' and 'content_base64' exclude each other")
    try:
        data = (
            base64.b64decode(encoded, validate=True)
            if encoded is not None
            else None
            if content is None
            else content.encode()
        )
    except ValueError as error:  # a lone surrogate, or invalid base64
        raise bad(f"{reader.where}: the content is not UTF-8 text") from error
    if not inverse:
        if mode & 0o022:
            raise bad(f"{reader.where}: mode {mode:o} lets others write {path}")
        if not any(border.rules_of_file(path, is_removal=data is None)):
            raise outside(reader, path)
    secret = reader.get("secret", (bool,), default=False) or border.is_secret(path)
    return FileStep(path=path, content=data, mode=mode, before=before, why=why, secret=secret)


def seen_before(reader: Reader, inverse: bool) -> Any:
    """What the controller saw there: it has to say, so that nothing is written over what nobody looked at."""
    if inverse:
        return reader.get("before", (str, type(None)), default=None)
    return reader.get("before", (str,))


def parse_value(reader: Reader, why: str, inverse: bool) -> ValueStep:
    """A live value: one short line; only an inverse may restore an empty one (a cpuset not yet set)."""
    path = checked_path(reader, VALUE_ROOTS)
    value = reader.get("value", (str,))
    before = seen_before(reader, inverse)
    compare = reader.get("compare", (str,))
    if compare not in COMPARES:
        raise bad(f"{reader.where}: 'compare' must be one of {', '.join(COMPARES)}")
    if not (value.strip() or inverse) or len(value) > 8192 or not value.replace("\t", " ").isprintable():
        raise bad(f"{reader.where}: 'value' must be one line of printable text")
    if not (inverse or any(border.rules_of_value(path))):
        raise outside(reader, path)
    return ValueStep(path=path, value=value, compare=compare, before=before, why=why)


def parse_nic(reader: Reader, why: str, inverse: bool) -> NicStep:
    """A parameter of a network port."""
    device, knob = reader.text("device", DEVICE), reader.get("knob", (str,))
    if knob not in KNOBS:
        raise bad(f"{reader.where}: 'knob' must be one of {', '.join(KNOBS)}")
    row = KNOBS[knob]
    is_capped = reader.get("is_capped", (bool,), default=False)
    if is_capped and row.most is None:
        raise bad(f"{reader.where}: no driver has a maximum of {knob}")
    if not row.word:
        value: Value = reader.number("value", 0, 1 if row.is_switch else NIC_VALUE_MAX)
        return NicStep(device=device, knob=knob, value=value, why=why, is_capped=is_capped)
    words = reader.get("value", (list,))
    if not (words or inverse) or len(words) > WORDS_MAX:
        raise bad(f"{reader.where}: 'value' must be 1 to {WORDS_MAX} words")
    for word in words:
        if not isinstance(word, str) or not re.fullmatch(row.word, word):
            raise bad(f"{reader.where}: {str(word)[:80]!r} is no word of {knob}")
    return NicStep(device=device, knob=knob, value=tuple(words), why=why)


def parse_priorities(reader: Reader, why: str, inverse: bool) -> PrioritiesStep:
    """A priority of kernel threads; those of interrupts name the network device, others none."""
    threads = reader.get("threads", (str,))
    if threads not in get_args(Threads):
        raise bad(f"{reader.where}: 'threads' must be one of {', '.join(get_args(Threads))}")
    device = reader.text("device", DEVICE, optional=True) if "device" in reader.raw else None
    if (threads == "irq") != (device is not None):
        raise bad(f"{reader.where}: 'device' is named for the threads of interrupts, and for no others")
    priority = reader.number("priority", 1, FIFO_PRIORITY_MAX)
    was = reader.mapping("was") if inverse else None
    return PrioritiesStep(threads=threads, priority=priority, why=why, device=device, was=was)


def parse_unit(reader: Reader, why: str, inverse: bool) -> UnitStep:
    """A unit step."""
    enabled = reader.get("enabled", (str, type(None)))
    if enabled is not None and enabled not in ENABLED:
        raise bad(f"{reader.where}: 'enabled' must be one of {', '.join(ENABLED)} or null")
    links = reader.mapping("links") if inverse else None
    active = reader.get("active", (bool, type(None)))
    unit = reader.text("unit", UNIT)
    if not (inverse or any(border.rules_of_unit(unit, enabled, active))):
        running = {True: "running", False: "stopped", None: "left as it is"}[active]
        raise outside(reader, f"{unit} {enabled or 'left as it is'}, {running},")
    return UnitStep(unit=unit, enabled=enabled, active=active, why=why, links=links)


def parse_boot(raw: object) -> Boot:
    """The boot part."""
    reader = Reader(raw, "boot")
    args, without = reader.get("args", (list,)), reader.get("without", (list,), default=[])
    for arg in (*args, *without):
        if not isinstance(arg, str) or not KERNEL_WORD.match(arg):
            raise bad(f"boot: {str(arg)[:80]!r} is not a single plain kernel argument")
    effect = reader.get("effect", (dict, type(None)), default=None)
    boot = Boot(
        args=tuple(args),
        kernel_release=reader.text("kernel_release", NAME, optional=True),
        panic_s=reader.number("panic_s", 1, 3600),
        watchdog_s=reader.number("watchdog_s", 0, 7200),
        trial_s=reader.number("trial_s", 10, 7200),
        confirmations=reader.number("confirmations", 0, 10),
        confirm_gap_s=reader.number("confirm_gap_s", 0, 3600),
        effect=None if effect is None else parse_effect(effect),
        without=tuple(without),
    )
    reader.done()
    return boot


def parse_effect(raw: object) -> Effect:
    """What the trial boot must show."""
    reader = Reader(raw, "boot.effect")
    effect = Effect(
        cpus=reader.cpus("cpus"),
        window_s=reader.number("window_s", 1, 600),
        timer_interrupts_max=reader.number("timer_interrupts_max", 0, 1_000_000),
    )
    reader.done()
    return effect


def plain(item: Step | Boot | Effect) -> dict[str, Any]:
    """The fields of a step or a boot part as JSON values."""
    out: dict[str, Any] = {}
    for field in fields(item):
        value = getattr(item, field.name)
        out[field.name] = value.list_text() if isinstance(value, CpuSet) else value
    return out


def step_to_json(step: Step) -> dict[str, Any]:
    """A step as the journal stores it; file content in base64, since it may be any bytes."""
    out: dict[str, Any] = {"kind": KIND_BY_TYPE[type(step)]} | plain(step)
    if isinstance(step, FileStep):
        content = out.pop("content")
        out["content_base64"] = None if content is None else base64.b64encode(content).decode()
    return {key: value for key, value in out.items() if value is not None or key in {"enabled", "active"}}


def encode(document: Document) -> bytes:
    """A document as the journal stores it; `parse(..., inverse=True)` reads it back."""
    boot = None
    if document.boot is not None:
        effect = document.boot.effect
        boot = plain(document.boot) | {"effect": None if effect is None else plain(effect)}
    head = {field.name: getattr(document, field.name) for field in fields(document)}
    return json.dumps(
        head | {"schema": SCHEMA, "steps": [step_to_json(step) for step in document.steps], "boot": boot}
    ).encode()
