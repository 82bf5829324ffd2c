"""The planned parameters of network ports, again: at the service's start and after each change that is heard.

A driver that is loaded anew has its defaults, and a port that was reset may have. What resets a port is set
only while no engine runs: the port of one that trades is worth more than its ring. What a driver did not take
once is not tried again by this process, or every try would be the next change that is heard.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from agent.ethtool import Ethtool, name_of
from agent.host import HostRoot
from agent.transaction.step_nic import capped, default_route, remember
from agent.verbs.planned import settings_of
from tuning.nic_table import KNOBS, Value, text_of
from tuning.seen_nics import LACKS, Answer
from tuning.units import ENGINE_SLICE, cgroup_of, is_populated


class Wish(NamedTuple):
    """One parameter of one port as the plan wants it."""

    device: str
    knob: str
    value: Value
    is_capped: bool = False


_not_taken: set[Wish] = set()


def parameters(host: HostRoot) -> tuple[Wish, ...]:
    """What the committed plan wants."""
    try:
        chosen = [one for one in settings_of(host, "nic_parameter") if one["knob"] in KNOBS]
        return tuple(
            Wish(
                str(one["device"]),
                one["knob"],
                KNOBS[one["knob"]].value_of(one["value"]),
                one.get("is_capped") is True,
            )
            for one in chosen
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def set_parameters(host: HostRoot) -> str:
    """Ask for each, set what differs, keep the answers; returns what was done, in words."""
    wishes = [one for one in parameters(host) if host.is_live and one[0] not in default_route(host)]
    if not wishes:
        return ""
    is_trading = is_populated(host.read(f"{cgroup_of(ENGINE_SLICE)}/cgroup.events") or "")
    done: list[str] = []
    answers: list[tuple[str, str, Answer]] = []
    try:
        with Ethtool() as ethtool:
            for wish in wishes:
                device, knob = wish.device, wish.knob
                try:
                    said, answer = set_one(ethtool, wish, is_trading=is_trading)
                except OSError as error:
                    said, answer = "", name_of(error)
                    if answer not in LACKS and error.errno != errno.ENODEV:
                        said = f"{knob} of {device}: {error.strerror}"
                answers.append((device, knob, answer))
                done += [said] if said else []
    except OSError as error:
        return f"network ports cannot be asked: {error.strerror}"
    remember(host, answers)
    return "; ".join(done)


def set_one(ethtool: Ethtool, wish: Wish, *, is_trading: bool) -> tuple[str, Answer]:
    """One parameter: what was done, in words, and what it is now; OSError with the kernel's errno."""
    device, knob, value, is_capped = wish
    seen, most, is_fixed = ethtool.get(device, knob)
    value = capped(value, most) if is_capped else value
    if is_fixed and seen != value:
        raise OSError(errno.EOPNOTSUPP, "nothing changes it")
    if seen == value or wish in _not_taken:
        return "", seen
    if is_trading and KNOBS[knob].mode == "disruptive":
        return f"{knob} of {device} is {text_of(seen)} and stays so while an engine runs", seen
    _not_taken.add(wish)
    ethtool.set(device, knob, value)
    seen, _, is_fixed = ethtool.get(device, knob)
    if is_fixed and seen != value:
        raise OSError(errno.EOPNOTSUPP, "the driver does not follow")
    if seen == value:
        _not_taken.discard(wish)
    other = "" if seen == value else f", it is {text_of(seen) or 'empty'}"
    return f"{knob} of {device} set to {text_of(value)}{other}", seen
