"""The inventory that is chosen here, for pyinfra's own command line: signed, TOML, JSON or Python.

    HFT_INVENTORY=site.signed.json pyinfra inventory/chosen.py deploys/site.py

pyinfra executes inventories that are Python; this one asks who chose an inventory as every verb of `hft` does
($HFT_INVENTORY, `hft.toml`, `hft site use`, else the lab: inventory/choice.py) and reads it as they do, so a
signed inventory is verified, and one that is expired or too old ends the run with a sentence.
"""

from __future__ import annotations

from inventory.choice import choose
from inventory.errors import InventoryError, StateError
from inventory.groups import pyinfra_groups
from inventory.load import DEFAULT, load_site
from inventory.model import Site


def _chosen() -> tuple[Site, str]:
    try:
        path = choose().path
        return load_site(path), str(path or DEFAULT)
    except (InventoryError, StateError) as error:
        raise SystemExit(f"hft: {error}") from None


if __name__ != "inventory.chosen":  # executed as an inventory file, not imported as a module
    SITE, _path = _chosen()
    globals().update(pyinfra_groups(SITE, _path))
