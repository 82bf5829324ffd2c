"""The contract between the bundle and any firm's engine: one source of truth, in values.

Everything that a third-party engine must do is here once: clauses, states, signals, exit codes, documents,
bytes. `docs/engine-contract.md` and `engine/contract/schemas/` are generated from it
(`python -m engine.contract --write`), the conformance suite judges by it, and nothing in it depends on our
C++.
"""

from typing import Final

CONTRACT_VERSION: Final = "1.2.0"
