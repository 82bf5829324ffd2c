"""The inventory that $HFT_INVENTORY names, for pyinfra's own command line: signed, TOML, JSON or Python.

    HFT_INVENTORY=site.signed.json pyinfra inventory/chosen.py deploys/site.py

pyinfra executes inventories that are Python; this one reads the file as every verb of `hft` does, so a signed
inventory is verified, and one that is expired or too old ends the run with a sentence.
"""

from __future__ import annotations

import os

from inventory.errors import InventoryError, StateError
from inventory.groups import pyinfra_groups
from inventory.load import load_site
from inventory.model import Site


def _chosen() -> tuple[Site, str]:
    path = os.environ.get("HFT_INVENTORY")
    try:
        if not path:
            raise InventoryError("HFT_INVENTORY is not set; hint: HFT_INVENTORY=site.signed.json pyinfra ...")
        return load_site(path), path
    except (InventoryError, StateError) as error:
        raise SystemExit(f"hft: {error}") from None


if __name__ != "inventory.chosen":  # executed as an inventory file, not imported as a module
    SITE, _path = _chosen()
    globals().update(pyinfra_groups(SITE, _path))
