"""Redraws every picture and the palettes: ``python -m pangolin.art.draw [folder]``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from pangolin.art.draw import font, objects, pangolin, title, zones
from pangolin.art.draw import palette as pal


def _write_palettes(path: Path) -> None:
    lines = {"player": pal.PLAYER, "objects": pal.OBJECTS, "zones": pal.ZONES, "title": pal.TITLE}
    text = json.dumps(lines, indent=1)
    text = re.sub(r"\[\s+(\d+),\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2, \3]", text)
    path.write_text(text + "\n")


def main(argv: list[str] | None = None) -> int:
    """Writes everything below a folder, by default the one above this package."""
    arguments = sys.argv[1:] if argv is None else argv
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    root.mkdir(parents=True, exist_ok=True)
    _write_palettes(root / "palettes.json")
    font.write(root)
    pangolin.write(root / "sprites")
    objects.write(root / "sprites")
    zones.write(root / "zones")
    title.write(root)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
