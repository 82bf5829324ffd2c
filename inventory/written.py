"""What every part of an inventory's file is: frozen, and closed to keys that nobody reads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Written(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
