"""Small pictures of whole acts, which the package ships for drawing on.

``python -m pangolin.tools.maps -o FOLDER`` writes them alone; a release brings them with the ROM.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from . import art
from .integration import level_name
from .level_source import ZONES, LevelError, LevelSource
from .level_text import read_level
from .paint import paint_image
from .preview import paste_objects

SCALE = 4  # a pixel of a map is so many of the act's, each way
MAX_COLOURS = 48
SKY = (204, 221, 238)  # pale in all zones: marks are drawn on it
_BITS = 4


def draw_map(source: LevelSource) -> bytes:
    """An act at a quarter of its size as a PNG with few colours; the same act, the same pixels."""
    zone = ZONES[source.zone]
    colours: npt.NDArray[np.uint8] = np.array(art.zone_palette_rgb(zone)[1], np.uint8)
    colours[0] = SKY
    image = Image.fromarray(colours[paint_image(source)]).convert("RGB")
    paste_objects(image, source)
    indices, palette = _reduce(_shrink(np.asarray(image)))
    picture = Image.fromarray(indices)
    picture.putpalette(palette.tobytes())
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _shrink(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Mean colours of SCALE x SCALE blocks; what does not fill a block at the far edges goes."""
    height, width = (n // SCALE for n in rgb.shape[:2])
    blocks = rgb[: height * SCALE, : width * SCALE].reshape(height, SCALE, width, SCALE, 3)
    sums = blocks.astype(np.uint32).sum(axis=(1, 3))
    return (sums // SCALE**2).astype(np.uint8)


def _reduce(rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """
    The most frequent colours, others replaced by the nearest of them. In whole numbers and by hand,
    for the quantisers of image libraries differ from version to version.
    """
    coarse = (rgb >> (8 - _BITS)).astype(np.int64)
    codes = coarse @ np.array([1 << 2 * _BITS, 1 << _BITS, 1])
    found, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    kept = found[np.lexsort((found, -counts))[:MAX_COLOURS]]
    mask = (1 << _BITS) - 1

    def parts(of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.stack([of >> 2 * _BITS, of >> _BITS & mask, of & mask], axis=-1)

    distances = ((parts(found)[:, None] - parts(kept)[None]) ** 2).sum(axis=-1)
    nearest = distances.argmin(axis=1).astype(np.uint8)
    palette = (parts(kept) * 255 // mask).astype(np.uint8)
    return nearest[inverse.reshape(codes.shape)], palette


def draw_maps(acts: list[LevelSource]) -> dict[str, bytes]:
    """File name in the integration folder -> PNG, for all acts."""
    return {f"maps/{level_name(act.zone, act.act)}.png": draw_map(act) for act in acts}


def main(argv: list[str] | None = None) -> int:
    from .release import act_files

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("pangolin/build"))
    arguments = parser.parse_args(argv)
    try:
        pictures = draw_maps([read_level(path) for path in act_files()])
    except LevelError as error:
        print(error, file=sys.stderr)
        return 2
    for name, content in pictures.items():
        path = arguments.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{path}: {len(content)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
