"""Epochs: who may issue which, and what the next one is. Pure.

An epoch is a fencing token: it only rises, and the gateway that holds the venue's session forwards only
the highest one (Kleppmann, "How to do distributed locking", 2016). Each gateway of a pair issues numbers of
its own residue, one the odd and the other the even ones, so that two that are cut off from each other never
give the same number to two holders.
"""

from __future__ import annotations

EPOCH_MAX = 36**5 - 1  # five base-36 characters of a ClOrdID
RESIDUES = 2  # gateways of a pair


def next_epoch(floor: int, residue: int | None) -> int:
    """The lowest epoch above FLOOR of this residue modulo 2; of any, where RESIDUE is None.

    ValueError when it would not fit into a ClOrdID any more.
    """
    epoch = floor + 1
    if residue is not None and epoch % RESIDUES != residue:
        epoch += 1
    if epoch > EPOCH_MAX:
        raise ValueError(f"epoch {epoch} is above {EPOCH_MAX}, the last one that a ClOrdID can hold")
    return epoch
