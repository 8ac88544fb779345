"""Writes each zone's textures, background and decorations."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

from pangolin.art.draw import canopy, quarry, skyline
from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Pixels, save_png
from pangolin.art.draw.tiles import unique_tiles

ZONES: dict[str, ModuleType] = {
    "CanopyZone": canopy,
    "QuarryZone": quarry,
    "SkylineZone": skyline,
}
MAX_BACKGROUND_TILES = 320


def write(folder: Path) -> None:
    """Writes ``zones/<zone>/`` for every zone.

    :raises ValueError: if a background needs more tiles than it may
    """
    for zone, module in ZONES.items():
        home = folder / zone
        terrain, behind = pal.ZONES[zone]["terrain"], pal.ZONES[zone]["background"]
        save_png(home / "fill.png", module.fill(), terrain)
        save_png(home / "surface.png", module.surface(), terrain)
        _write_background(home, zone, module.background(), behind, module.BANDS)
        for name, picture in module.decor().items():
            save_png(home / "decor" / f"{name}.png", picture, terrain)


def _write_background(
    home: Path, zone: str, picture: Pixels, line: list[pal.Colour], bands: list[dict[str, float]]
) -> None:
    tiles = unique_tiles(picture)
    if tiles > MAX_BACKGROUND_TILES:
        raise ValueError(f"{zone}: the background needs {tiles} tiles, {MAX_BACKGROUND_TILES} fit")
    save_png(home / "background.png", picture, line)
    lines = ",\n".join(f" {json.dumps(band)}" for band in bands)
    (home / "background.json").write_text(f"[\n{lines}\n]\n")
