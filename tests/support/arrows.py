"""A contract of import-linter that names what a room may import, not what it may not.

A list of what is forbidden grows old with every new room; here a new arrow is a broken build until somebody
writes it down. Direct imports are judged, so a room may stand on a room that stands on another.
"""

from __future__ import annotations

from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from typing_extensions import override


def lies_in(module: str, package: str) -> bool:
    """Whether MODULE is PACKAGE or something inside it."""
    return module == package or module.startswith(f"{package}.")


class AllowList(Contract):
    """Whatever lies in `source` imports from the project only itself and what lies in `allowed`."""

    type_name = "allow_list"
    source = fields.StringField()
    allowed = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    @override
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every arrow out of the room that is not on its list."""
        source, allowed = str(self.source), [str(room) for room in cast("list[object]", self.allowed)]
        mine = [module for module in graph.modules if lies_in(module, source)]
        if not mine:
            raise ValueError(f"{source} is no module of this project")
        broken = sorted(
            (module, target)
            for module in mine
            for target in graph.find_modules_directly_imported_by(module)
            if not any(lies_in(target, room) for room in (source, *allowed))
        )
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line an arrow."""
        for module, target in check.metadata["broken"]:
            output.print_error(f"{module} imports {target}, which {self.source} may not")
