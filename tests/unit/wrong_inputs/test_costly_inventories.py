"""An inventory that costs: one sentence, in little time and memory, whatever is wrong in its 4 MiB."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from inventory.errors import InventoryError
from inventory.load import SIZE_MAX, load_site

MANY = ",".join(f'"k{at}":1' for at in range(150_000))
COSTLY = {
    "misspelt hosts": '{"name":"s","hosts":[' + ",".join(['{"nam":1}'] * 50_000) + "]}",
    "too many hosts": '{"name":"s","hosts":[' + ",".join(['{"nam":1}'] * 300_000) + "]}",
    "keys": '{"name":"s","hosts":[],' + MANY + "}",
    "profiles": '{"name":"s","hosts":[{}],"profiles":{' + MANY + "}}",
    "trials": '{"name":"s","hosts":[{}],"trials":{' + MANY + "}}",
    "a long key": '{"name":"s","hosts":[],"' + "hots" * 900_000 + '":1}',
    "a long profile": '{"name":"s","hosts":[{"name":"e","address":"a","role":"engine","failure_domain":"a",'
    '"profile":"' + "engin" * 700_000 + '"}]}',
    "a long role": '{"name":"s","hosts":[{"role":"' + "engin" * 700_000 + '"}]}',
    "depth": "[" * 1_000_000,
    "some depth": '{"name":' + "[" * 500 + "]" * 500 + "}",
    "a number": '{"name":' + "9" * 100_000 + "}",
    "a key twice": '{"name":"s","name":"t","hosts":[]}',
}


@pytest.mark.parametrize("name", COSTLY)
def test_one_sentence_costs_little(name: str, tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(COSTLY[name])
    assert path.stat().st_size < SIZE_MAX
    began_s = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(InventoryError) as refused:
            load_site(path)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
    assert time.process_time() - began_s < 10
    assert len(str(refused.value)) < 2000


def test_what_has_no_end_is_not_read_to_it(tmp_path: Path) -> None:
    (tmp_path / "site.json").symlink_to("/dev/zero")
    with pytest.raises(InventoryError):
        load_site(tmp_path / "site.json")
