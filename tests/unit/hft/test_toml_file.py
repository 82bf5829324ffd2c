"""Every reader of a person's TOML file ends a file that nests too deep with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from hft.errors import Exit, HftError, exit_code_of
from hft.monitoring_deploy import packages_of
from hft.release_file import load_release_file
from hft.runbooks.cluster import load_cluster
from hft.verbs.monitoring import contacts_of

READERS = (load_release_file, contacts_of, packages_of, lambda path: load_cluster(path, None))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("text", "says"), [("a = " + "[" * 5000, "nested too deep"), ("a = ", "deep.toml: ")]
)
def test_what_cannot_be_read_is_one_sentence(read: object, text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(text)
    assert callable(read)
    with pytest.raises(HftError, match=says) as caught:
        read(path)
    assert exit_code_of(caught.value) is Exit.BAD_INPUT
    assert "\n" not in str(caught.value)
