"""The one test of the suite: a host passes a check of its plan (see conftest.py)."""

from __future__ import annotations

import pytest

from checks.verdict import Finding, Verdict


def test_host_meets_its_plan(finding: Finding) -> None:
    if finding.verdict is not Verdict.OK:
        lines = (
            finding.message,
            f"expected: {finding.expected}",
            f"observed: {finding.observed}",
            finding.why,
        )
        pytest.fail(f"{finding.reason}: " + "\n".join(filter(None, lines)), pytrace=False)
