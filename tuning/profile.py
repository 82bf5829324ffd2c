"""Profile: what is wanted of a host, in numbers that adapt to its size.

A profile never names CPUs. It says how many threads spin and how much memory they pin, each as *at least* and
*at most*; the planner gives as much as the host has and refuses below the minimum. `engine` ships and fits
everything from a four-CPU virtual machine to a rack server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

from tuning.errors import ProfileError

IoMode = Literal["kernel_interrupt", "kernel_busy_poll", "onload", "af_xdp", "dpdk"]
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a host of this kind must offer; counts are whole cores, one hot thread each."""

    name: str
    engine_threads_min: int = 1
    engine_threads_most: int = 4
    poll_threads_min: int = 0
    poll_threads_most: int = 2
    irq_cores_most: int = 1
    ptp_cores_most: int = 1
    hugepage_bytes_min: int = 0
    hugepage_bytes_most: int = 1024 * MIB
    hugepage_share_most: float = 0.125
    io_mode: IoMode = "kernel_busy_poll"
    kernel_release: str | None = None

    def __post_init__(self) -> None:
        """Refuse contradictions where they are made, not in the planner."""
        for what in ("engine_threads", "poll_threads", "hugepage_bytes"):
            least, most = getattr(self, f"{what}_min"), getattr(self, f"{what}_most")
            if not 0 <= least <= most:
                raise ProfileError(
                    f"profile {self.name}: {what}_min {least} and {what}_most {most} contradict"
                )
        if self.engine_threads_min < 1:
            raise ProfileError(f"profile {self.name}: engine_threads_min must be at least 1")
        if self.irq_cores_most < 0 or self.ptp_cores_most < 0:
            raise ProfileError(f"profile {self.name}: irq_cores_most and ptp_cores_most must not be negative")
        if not 0 <= self.hugepage_share_most <= 0.5:
            raise ProfileError(
                f"profile {self.name}: hugepage_share_most {self.hugepage_share_most} is outside 0 to 0.5"
                " (an over-allocated pool hangs a PREEMPT_RT kernel at boot)"
            )
        if self.io_mode not in get_args(IoMode):
            raise ProfileError(
                f"profile {self.name}: io_mode is {self.io_mode!r}, not one of {', '.join(get_args(IoMode))}"
            )

    @classmethod
    def from_mapping(cls, wishes: Mapping[str, object]) -> Profile:
        """A profile from plain values, as an inventory holds them; an unknown key is told the nearest one."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for key, value in wishes.items():
            if key not in fields:
                near = get_close_matches(key, fields, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(fields)}"
                raise ProfileError(f"profile: unknown key {key!r}{hint}")
            _check_type(key, value, str(fields[key].type))
        if "name" not in wishes:
            raise ProfileError("profile: key 'name' is missing")
        return cls(**wishes)  # type: ignore[arg-type] # _check_type held every value to its field


def _check_type(key: str, value: object, wanted: str) -> None:
    accepted: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "str | None": (str, type(None)),
    }
    if isinstance(value, bool) or not isinstance(value, accepted.get(wanted, (str,))):
        raise ProfileError(f"profile: {key} is {value!r}, expected {wanted}")


ENGINE = Profile(name="engine")
PROFILES: dict[str, Profile] = {ENGINE.name: ENGINE}


def profile_named(name: str) -> Profile:
    """The shipped profile of this name."""
    if name not in PROFILES:
        near = get_close_matches(name, PROFILES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ProfileError(f"no profile {name!r}; known: {', '.join(PROFILES)}{hint}")
    return PROFILES[name]
