"""Two persons behind one plan: whose signatures count, and why the others do not. Pure.

An approval is a person's signature over the name of a plan, which is bound to command, look and time. A
person counts once, however many keys that person has, and a key counts once, whoever the approvers file lets
it speak for; a signature over another plan, by nobody who may approve, or one that does not verify counts for
nothing. Whether a signature verifies is a value here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PERSONS_NEEDED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One signature as it was handed in."""

    person: str
    plan: str
    key: str  # fingerprint of the key that the signature names
    is_signed: bool  # by a key of that person, for approvals, over that plan's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Who counts, and a sentence for each approval that does not."""

    persons: tuple[str, ...]
    passed_over: tuple[str, ...]

    @property
    def is_enough(self) -> bool:
        """Whether two different persons stand behind the plan."""
        return len(self.persons) >= PERSONS_NEEDED


def approved_by(approvals: Sequence[Approval], plan: str) -> Approved:
    """The persons whose approval of this plan counts."""
    persons: list[str] = []
    keys: set[str] = set()
    passed_over: list[str] = []
    for one in approvals:
        if one.plan != plan:
            passed_over.append(f"{one.person} approved another plan")
        elif not one.is_signed:
            passed_over.append(f"the signature is none of {one.person}'s for approvals of this plan")
        elif one.person in persons:
            passed_over.append(f"{one.person} counts once, with however many keys")
        elif one.key in keys:
            passed_over.append(f"{one.person} signed with the key of another person, and a key counts once")
        else:
            persons.append(one.person)
            keys.add(one.key)
    return Approved(persons=tuple(persons), passed_over=tuple(passed_over))
