"""The files of the wall: our own, and uPlot's, which set-up fetches by the hash that its lock names."""

from __future__ import annotations

from pathlib import Path

from hft.errors import Exit, HftError
from monitoring.boards import wall

ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "monitoring" / "boards" / "wall"
FETCHED = ROOT / ".setup" / "wall" / "node_modules" / "uplot" / "dist"


def assets(uplot: Path | None) -> dict[str, str]:
    """Name -> text of all of them; UPLOT is the folder `dist` of the npm package where it is not set-up's.

    Raises: HftError (bad input) where uPlot is not there.
    """
    folder = uplot or FETCHED
    try:
        fetched = {name: (folder / name).read_text(encoding="utf-8") for name in wall.UPLOT}
    except (OSError, ValueError) as error:
        raise HftError(
            Exit.BAD_INPUT,
            f"{folder}: uPlot, which draws the wall, is not there; run make setup-wall, or name the folder "
            "dist of the npm package uplot with --uplot",
        ) from error
    return {**fetched, **{name: (OWN / name).read_text(encoding="utf-8") for name in wall.OWN}}
