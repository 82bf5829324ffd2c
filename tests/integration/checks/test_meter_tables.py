"""The meter subtracts two readings by CPU and interrupt, never by position, and as the kernel counts."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from tests.support import needs
from tests.support.checkout import ROOT

HARNESS = """
#define main meter_main
#include "meter.c"
#undef main
int main(int count, char **files)
{
	struct table before = read_table(files[1]), after = read_table(files[2]);
	(void)count;
	for (int cpu = 0; cpu < 4; cpu++)
		opt.measured.word[0] |= 1ul << cpu;
	printf("{\\"schema\\":1");
	put_table("rows", &before, &after);
	puts("}");
	return 0;
}
"""
Row: TypeAlias = tuple[str, str]  # number or abbreviation, and what follows the counts
Reading: TypeAlias = Mapping[Row, Mapping[int, int]]  # -> CPU -> count
Subtract: TypeAlias = Callable[[str, str], dict[Row, dict[int, int | None]]]
LOC, ETH = ("LOC", "Local timer"), ("40", "PCI-MSI eth0")


@pytest.fixture(scope="session")
def subtract(tmp_path_factory: pytest.TempPathFactory) -> Subtract:
    needs.skip_without("gcc")
    folder = tmp_path_factory.mktemp("tables")
    (folder / "harness.c").write_text(HARNESS)
    flags = ["-std=gnu11", "-g", "-fsanitize=address,undefined", "-pthread", "-I", str(ROOT / "checks")]
    subprocess.run(["gcc", *flags, "-o", folder / "harness", folder / "harness.c"], check=True)

    def run(before: str, after: str) -> dict[Row, dict[int, int | None]]:
        (folder / "before").write_text(before)
        (folder / "after").write_text(after)
        argv = [folder / "harness", folder / "before", folder / "after"]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=True, env={"ASAN_OPTIONS": "detect_leaks=0"}
        )
        rows = json.loads(done.stdout)["rows"]
        return {(one["id"], one["name"]): {int(c): n for c, n in one["delta"].items()} for one in rows}

    return run


def table(cpus: list[int], rows: Reading) -> str:
    """As /proc/interrupts prints it, with these columns in this order."""
    head = "     " + " ".join(f"CPU{cpu}" for cpu in cpus)
    lines = [
        f"{at}: {' '.join(str(counts[cpu]) for cpu in cpus)}  {name}" for (at, name), counts in rows.items()
    ]
    return "\n".join([head, *lines]) + "\n"


def test_a_counter_wraps_as_the_kernels_unsigned_int(subtract: Subtract) -> None:
    before, after = {LOC: {0: 5, 2: 2**32 - 1}}, {LOC: {0: 9, 2: 1}}
    assert subtract(table([0, 2], before), table([0, 2], after))[LOC] == {0: 4, 1: None, 2: 2, 3: None}


def test_a_cpu_that_came_or_went_is_not_known_and_the_others_keep_theirs(subtract: Subtract) -> None:
    both = {LOC: {0: 10, 1: 7, 2: 50, 3: 4}}
    later = {LOC: {0: 11, 1: 9, 2: 52, 3: 8}}
    came = subtract(table([0, 2, 3], both), table([0, 1, 2, 3], later))
    assert came[LOC] == {0: 1, 1: None, 2: 2, 3: 4}
    went = subtract(table([0, 1, 2, 3], both), table([0, 2, 3], later))
    assert went[LOC] == {0: 1, 1: None, 2: 2, 3: 4}


def test_a_number_that_another_device_has_now_is_not_known(subtract: Subtract) -> None:
    new = ("40", "PCI-MSI nvme0")
    found = subtract(table([0, 2], {ETH: {0: 0, 2: 100}}), table([0, 2], {new: {0: 0, 2: 3}}))
    assert set(found[new].values()) == {None}


def test_an_interrupt_that_went_is_not_known_and_one_that_came_counts_whole(subtract: Subtract) -> None:
    new = ("41", "PCI-MSI eth1")
    found = subtract(table([0, 2], {ETH: {0: 0, 2: 100}}), table([0, 2], {new: {0: 0, 2: 3}}))
    assert set(found[ETH].values()) == {None}
    assert (found[new][0], found[new][2]) == (0, 3)


@pytest.mark.parametrize("seed", range(25))
def test_the_order_of_columns_and_rows_never_matters(subtract: Subtract, seed: int) -> None:
    dice = random.Random(seed)
    names = [LOC, ("RES", "Rescheduling"), ETH, ("41", "PCI-MSI eth1"), ("NMI", "Non-maskable")]
    first = {name: {cpu: dice.randrange(2**32) for cpu in range(4)} for name in names}
    grown = {name: {cpu: dice.randrange(1000) for cpu in range(4)} for name in names}
    second = {
        name: {cpu: (first[name][cpu] + grown[name][cpu]) % 2**32 for cpu in range(4)} for name in names
    }
    there, then = ([0, *dice.sample([1, 2, 3], dice.randrange(4))] for _ in range(2))
    shuffled = dict(dice.sample(sorted(second.items()), len(second)))
    found = subtract(table(there, first), table(then, shuffled))
    known = set(there) & set(then)
    for name in names:
        assert found[name] == {cpu: grown[name][cpu] if cpu in known else None for cpu in range(4)}, seed
