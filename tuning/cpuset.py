"""CpuSet: an immutable set of CPU numbers, read and written in the kernel's two notations.

The list notation is that of the kernel's `bitmap_parselist` (Documentation/admin-guide/kernel-parameters.rst,
"cpu lists"): regions separated by commas or blanks; a region is `3`, `4-7`, `0-15:2/4` (the first 2 of every
group of 4) or `all`; `N` stands for the last CPU. The mask notation is that of `bitmap_parse`: groups of at
most eight hex digits, 32 bits each, most significant first. Sets are held as one integer, so that a host with
thousands of CPUs costs no more than a laptop, and `0-3` and `3,0-2` are the same value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tuning.errors import CpuListError

CPU_DIR = "/sys/devices/system/cpu"  # where the kernel shows them
# Linux supports at most 8192 CPUs; anything larger comes from a damaged or hostile file.
CPU_LIMIT = 65_536

_NUMBER = r"(?:[0-9]{1,7}|N)"
_REGION = re.compile(
    rf"(?P<start>{_NUMBER}|[aA][lL][lL])(?:-(?P<end>{_NUMBER}))?(?::(?P<used>{_NUMBER})/(?P<group>{_NUMBER}))?"
)
_MASK_GROUP = re.compile(r"[0-9a-fA-F]{1,8}")


@dataclass(frozen=True, slots=True)
class CpuSet:
    """CPU numbers; bit N of `bits` says that CPU N is a member."""

    bits: int = 0

    @classmethod
    def of(cls, cpus: Iterable[int]) -> CpuSet:
        """The set of these CPU numbers."""
        bits = 0
        for cpu in cpus:
            if not 0 <= cpu < CPU_LIMIT:
                raise CpuListError(f"{cpu} is not a CPU number (0 to {CPU_LIMIT - 1})")
            bits |= 1 << cpu
        return cls(bits)

    @classmethod
    def parse_list(cls, text: str, cpu_count: int | None = None) -> CpuSet:
        """Read the kernel's list notation; `N`, `all` and the range check need `cpu_count`."""
        bits = 0
        for region in re.split(r"[,\s]+", text):
            if region:
                bits |= _region_bits(region, text, cpu_count)
        return cls(bits)

    @classmethod
    def parse_mask(cls, text: str) -> CpuSet:
        """Read the kernel's mask notation, e.g. `f` or `00000001,ffffffff`."""
        groups = text.strip().split(",")
        if len(groups) * 32 > CPU_LIMIT or not all(_MASK_GROUP.fullmatch(group) for group in groups):
            raise CpuListError(
                f"{_shown(text)} is not a CPU mask: hex groups of at most 8 digits with commas expected"
            )
        bits = 0
        for group in groups:
            bits = bits << 32 | int(group, 16)
        return cls(bits)

    def list_text(self) -> str:
        """The shortest list in the kernel's own output form: `0-3,8`; empty for the empty set."""
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self._ranges())

    def mask_text(self) -> str:
        """The mask in the kernel's own output form: `f`, `3,00000000`; `0` for the empty set."""
        groups = []
        bits = self.bits
        while bits >> 32:
            groups.append(f"{bits & 0xFFFFFFFF:08x}")
            bits >>= 32
        return ",".join([f"{bits:x}", *reversed(groups)])

    def first(self) -> int:
        """The lowest member."""
        if not self.bits:
            raise CpuListError("the empty set has no first CPU")
        return (self.bits & -self.bits).bit_length() - 1

    def last(self) -> int:
        """The highest member."""
        if not self.bits:
            raise CpuListError("the empty set has no last CPU")
        return self.bits.bit_length() - 1

    def __or__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.bits | other.bits)

    def __and__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.bits & other.bits)

    def __sub__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.bits & ~other.bits)

    def __le__(self, other: CpuSet) -> bool:
        """Subset, as for Python's own sets."""
        return not self.bits & ~other.bits

    def __contains__(self, cpu: object) -> bool:
        return isinstance(cpu, int) and cpu >= 0 and bool(self.bits >> cpu & 1)

    def __iter__(self) -> Iterator[int]:
        bits = self.bits
        while bits:
            lowest = bits & -bits
            yield lowest.bit_length() - 1
            bits ^= lowest

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return bool(self.bits)

    def __str__(self) -> str:
        return self.list_text()

    def _ranges(self) -> Iterator[tuple[int, int]]:
        bits, base = self.bits, 0
        while bits:
            skip = (bits & -bits).bit_length() - 1
            bits >>= skip
            base += skip
            length = (~bits & bits + 1).bit_length() - 1
            yield base, base + length - 1
            bits >>= length
            base += length


def _region_bits(region: str, text: str, cpu_count: int | None) -> int:
    match = _REGION.fullmatch(region)
    if match is None or (match["group"] and not (match["end"] or match["start"].lower() == "all")):
        raise CpuListError(
            f"{_shown(text)} is not a CPU list: {_shown(region)} is not a CPU, a range or range:used/group"
        )
    if match["start"].lower() == "all":
        if match["end"]:
            raise CpuListError(f"{_shown(text)} is not a CPU list: `all` takes no end")
        start, end = 0, _number("N", text, cpu_count)
    else:
        start = _number(match["start"], text, cpu_count)
        end = _number(match["end"], text, cpu_count) if match["end"] else start
    used, group = end + 1, end + 1
    if match["group"]:
        used, group = _number(match["used"], text, cpu_count), _number(match["group"], text, cpu_count)
    if start > end or group == 0 or used > group:
        raise CpuListError(
            f"{_shown(text)} is not a CPU list: {_shown(region)} runs backwards or has an empty group"
        )
    if end >= (CPU_LIMIT if cpu_count is None else cpu_count):
        raise CpuListError(f"{_shown(text)}: CPU {end} is beyond the last CPU")
    bits = 0
    for first in range(start, end + 1, group):
        bits |= (1 << min(used, end - first + 1)) - 1 << first
    return bits


def _number(text: str, whole: str, cpu_count: int | None) -> int:
    if text != "N":
        return int(text)
    if not cpu_count:
        raise CpuListError(f"{_shown(whole)}: `N` and `all` need the number of CPUs, which is not known here")
    return cpu_count - 1


def _shown(text: str) -> str:
    """Host text is data of any length and bytes: quote it and keep it short."""
    return repr(text if len(text) <= 40 else text[:40] + "...")
