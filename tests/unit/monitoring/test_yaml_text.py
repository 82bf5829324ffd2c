"""The YAML that is rendered reads back as what was written, by a reader that is not ours."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.yaml_text import document

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.text()
    | st.sampled_from(
        ["yes", "1e3", "a: b", '"', 'x "y"', "# no", "- a", "{{ $labels.host }}", ' lead "', "~", "0x1"]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read(value: object) -> None:
    assert yaml.safe_load(document(value, head="a\nhead")) == value  # type: ignore[arg-type]
