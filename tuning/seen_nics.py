"""What the parameters of network ports were when they were last asked for: a record of one boot.

A capture is a shell's, and no file shows a port's parameters, so the agent, which asks the drivers, keeps the
answers in one file below /run: a number, a list of words, or the kernel's errno where the driver has no such
parameter.
hft-irqs asks again after every change that the kernel tells of. `diff` reads the record; the checks ask by
themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning.nic_table import Words

SEEN_NICS_FILE = "/run/hft/nics.json"
SCHEMA = 1
SIZE_MAX = 1 << 20
# The driver has no such parameter, or not this one: nothing that another apply could change.
LACKS = frozenset({"EOPNOTSUPP", "ENODATA"})

Answer = int | Words | str  # the number or the words, or an errno by its name


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNics:
    """Device -> parameter -> answer, and the driver's maximum of it where it has one."""

    boot_id: str
    ports: Mapping[str, Mapping[str, Answer]] = field(default_factory=dict)
    most: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def find(self, device: str, knob: str) -> Answer | None:
        """The answer for one parameter; None when nobody asked."""
        return self.ports.get(device, {}).get(knob)

    def to_json(self) -> str:
        """The record as it is kept, with sorted names."""
        found = {"schema": SCHEMA, "boot_id": self.boot_id, "ports": self.ports, "most": self.most}
        return json.dumps(found, sort_keys=True)


def read_seen_nics(text: str | None, boot_id: str | None) -> SeenNics | None:
    """The record of this boot; None without one, for one of another boot, and for what is no record."""
    if text is None or len(text) > SIZE_MAX or not boot_id:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or repr(document.get("schema")) != repr(SCHEMA):
        return None
    ports, most = document.get("ports"), document.get("most", {})
    if (
        document.get("boot_id") != boot_id.strip()
        or not isinstance(ports, dict)
        or not isinstance(most, dict)
    ):
        return None
    return SeenNics(
        boot_id=boot_id.strip(),
        ports={
            device: {
                knob: tuple(answer) if isinstance(answer, list) else answer
                for knob, answer in answers.items()
                if _is_answer(answer)
            }
            for device, answers in ports.items()
            if isinstance(answers, dict)
        },
        most={
            device: {
                knob: number
                for knob, number in numbers.items()
                if isinstance(number, int) and not isinstance(number, bool)
            }
            for device, numbers in most.items()
            if isinstance(numbers, dict)
        },
    )


def _is_answer(found: object) -> bool:
    if isinstance(found, list):
        return all(isinstance(word, str) for word in found)
    return isinstance(found, int | str) and not isinstance(found, bool)
