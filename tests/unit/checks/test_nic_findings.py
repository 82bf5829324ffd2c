"""What a check makes of what a port's driver answers to one parameter."""

from __future__ import annotations

import pytest

from checks.facts import Facts
from checks.ports import nic_parameter
from checks.verdict import Verdict
from tuning.plan.setting import NicParameter

SETTING = NicParameter(
    key="nic.features.lro.ens1",
    device="ens1",
    knob="features.lro",
    value="0",
    mode="disruptive",
    risk="none known",
    source="ethtool(8)",
    why="because",
)


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        ("0", Verdict.OK, None),
        ("0 fixed", Verdict.OK, None),
        ("1", Verdict.VIOLATED, "value_differs"),
        ("1 fixed", Verdict.NOT_APPLICABLE, "driver_lacks"),
        ("EOPNOTSUPP", Verdict.NOT_APPLICABLE, "driver_lacks"),
        ("ENODATA", Verdict.NOT_APPLICABLE, "driver_lacks"),
        ("EPERM", Verdict.UNVERIFIABLE, "not_readable"),
        (None, Verdict.UNVERIFIABLE, "not_read"),
    ],
)
def test_what_nobody_can_change_is_no_violation_and_what_is_not_known_no_pass(
    answer: str | None, verdict: Verdict, reason: str | None
) -> None:
    found = nic_parameter(
        SETTING, Facts(files={}, nics={} if answer is None else {("ens1", SETTING.knob): answer})
    )
    assert (found.verdict, found.reason) == (verdict, reason)
