"""The colours: four Mega Drive palette lines, each channel one of eight levels."""

from __future__ import annotations

Colour = tuple[int, int, int]


def levels(*codes: str) -> list[Colour]:
    """Colours from three-digit codes, a digit 0..7 a channel: ``"700"`` is full red."""
    return [tuple(round(int(digit) * 255 / 7) for digit in code) for code in codes]  # type: ignore[misc]


# Line 0: the pangolin, the rings, the letters. Indices 1, 2, 8 and 9 are the same colours in the
# object lines, so that a ring looks right with either.
INK, WHITE = 1, 2
SCALE_DARK, SCALE_MID, SCALE_LIGHT, SCALE_SHINE = 3, 4, 5, 6
SKIN_DARK, YELLOW, ORANGE, SKIN_MID, SKIN_LIGHT = 7, 8, 9, 10, 11
SCARF_DARK, SCARF_LIGHT, GREY, BROWN = 12, 13, 14, 15
PLAYER = levels(
    "000", "101", "777", "520", "630", "752", "774", "542",
    "760", "640", "764", "776", "025", "057", "555", "310",
)  # fmt: skip

# Line 3: objects and enemies. 10..12 are the zone's building material, 13..15 its enemies.
SILVER, STEEL, IRON, RED_DARK, RED = 3, 4, 5, 6, 7
STUFF_DARK, STUFF_MID, STUFF_LIGHT, FOE_DARK, FOE_MID, FOE_LIGHT = 10, 11, 12, 13, 14, 15
_COMMON = ("000", "101", "777", "556", "334", "112", "400", "710", "760", "640")
OBJECTS = {
    "CanopyZone": levels(*_COMMON, "310", "530", "753", "305", "527", "767"),
    "QuarryZone": levels(*_COMMON, "223", "445", "667", "033", "055", "477"),
    "SkylineZone": levels(*_COMMON, "302", "514", "747", "031", "163", "675"),
}

# Lines 1 and 2 per zone. Terrain 1..6 rock or earth from dark to light, 7..11 the surface,
# 12..15 accents of the decorations. Background 1..15 from the sky down to the near band.
ZONES = {
    "CanopyZone": {
        "terrain": levels(
            "000", "100", "200", "310", "421", "532", "754", "020",
            "130", "250", "462", "775", "302", "504", "233", "465",
        ),
        "background": levels(
            "000", "133", "143", "132", "032", "022", "031", "031",
            "021", "122", "010", "011", "010", "233", "000", "344",
        ),
    },
    "QuarryZone": {
        "terrain": levels(
            "000", "101", "210", "321", "431", "543", "654", "310",
            "420", "631", "763", "777", "012", "034", "145", "366",
        ),
        "background": levels(
            "000", "001", "102", "112", "123", "212", "224", "213",
            "012", "023", "134", "145", "223", "101", "111", "213",
        ),
    },
    "SkylineZone": {
        "terrain": levels(
            "000", "101", "202", "313", "414", "425", "546", "301",
            "512", "733", "764", "776", "012", "023", "134", "760",
        ),
        "background": levels(
            "000", "102", "202", "203", "213", "303", "403", "413",
            "423", "533", "202", "101", "102", "533", "313", "314",
        ),
    },
}  # fmt: skip

# Title: two lines; pixel values 16..31 mean line 1.
TITLE = (
    PLAYER,
    levels(
        "000", "101", "102", "203", "314", "424", "534", "643",
        "010", "021", "132", "310", "520", "640", "763", "777",
    ),
)  # fmt: skip
