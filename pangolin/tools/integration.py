"""The integration folder's small files: variables, scenarios, script, facts of the acts."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .level_source import ZONES, LevelSource

DEFAULT_LEVEL = "CanopyZone.Act1"
TEST_LEVELS = ("CanopyZone.Act2", "QuarryZone.Act3", "SkylineZone.Act1")
FRAME_LIMIT = 18_000

# Where src/rom/main.c publishes the game's facts: the first block as in
# SonicTheHedgehog-Genesis-v0's data.json, the second for tests and curious eyes.
VARIABLES = {
    "x": (0xFFD008, ">i2"),
    "y": (0xFFD00C, ">u2"),
    "lives": (0xFFFE12, "|u1"),
    "rings": (0xFFFE20, ">u2"),
    "score": (0xFFFE26, ">u4"),
    "zone": (0xFFFE10, "|u1"),
    "act": (0xFFFE11, "|u1"),
    "screen_x": (0xFFF700, ">u2"),
    "screen_y": (0xFFF704, ">u2"),
    "screen_x_end": (0xFFF72A, ">u2"),
    "level_end_bonus": (0xFFF7D6, "|u1"),
    "frame": (0xFFD100, ">u4"),
    "gsp": (0xFFD104, ">i2"),
    "vx": (0xFFD106, ">i2"),
    "vy": (0xFFD108, ">i2"),
    "angle": (0xFFD10A, "|u1"),
    "flags": (0xFFD10B, "|u1"),
    "mode": (0xFFD10C, "|u1"),
    "invulnerable": (0xFFD10D, "|u1"),
    "rng": (0xFFD110, ">u4"),
    "timer_s": (0xFFD114, ">u2"),
    "vblanks": (0xFFD116, ">u2"),
    "frame_lines": (0xFFD118, ">u2"),
    "worst_lines": (0xFFD11A, ">u2"),
    "fault": (0xFFD1FE, ">u2"),
}

_SCRIPT = """\
-- Written by pangolin/tools/integration.py from the acts' files.
local FRAME_LIMIT = {frame_limit}
local PROGRESS_POINTS = 9000
local TIME_POINTS = 1000

-- x of the goal line by 16 * zone + act.
local end_x = {{
{ends}
}}

local start_x, way, last_progress, last_x, last_lives

local function begin()
    if start_x == nil then
        start_x = data.x
        way = end_x[16 * data.zone + data.act] - start_x
        last_progress = 0
        last_x = data.x
        last_lives = data.lives
    end
end

local function progress()
    begin()
    return math.min(math.max(data.x - start_x, 0), way) / way
end

local function life_lost()
    begin()
    local before = last_lives
    last_lives = data.lives
    return data.lives < before
end

function contest_reward()
    local now = progress()
    local points = PROGRESS_POINTS * (now - last_progress)
    last_progress = now
    if now >= 1 then
        points = points + TIME_POINTS * (1 - math.min(scenario.frame / FRAME_LIMIT, 1))
    end
    return points
end

function contest_done()
    return life_lost() or progress() >= 1
end

function xpos_reward()
    begin()
    local moved = data.x - last_x
    last_x = data.x
    return moved
end

function xpos_done()
    return life_lost() or progress() >= 1 or scenario.frame >= FRAME_LIMIT
end
"""


def level_name(zone: int, act: int) -> str:
    return f"{ZONES[zone]}.Act{act + 1}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def data_json() -> str:
    """The RAM variables as stable-retro wants them."""
    return _json(
        {
            "info": {
                name: {"address": address, "type": kind}
                for name, (address, kind) in sorted(VARIABLES.items())
            }
        }
    )


def scenario_json(name: str) -> str:
    return _json(
        {
            "done": {"script": f"lua:{name}_done"},
            "reward": {"script": f"lua:{name}_reward"},
            "scripts": ["script.lua"],
        }
    )


def metadata_json() -> str:
    return _json({"default_state": DEFAULT_LEVEL})


def script_lua(acts: Iterable[LevelSource]) -> str:
    ends = [f"    [{16 * a.zone + a.act}] = {a.end_x}," for a in acts]
    return _SCRIPT.format(frame_limit=FRAME_LIMIT, ends="\n".join(ends))


def levels_json(acts: Iterable[LevelSource]) -> str:
    """
    State name -> facts, in the order of play; start_x is where the save state stands, loops the
    x where each begins and ends.
    """
    facts = {}
    for a in acts:
        name = level_name(a.zone, a.act)
        facts[name] = {
            "zone": a.zone,
            "act": a.act,
            "start_x": a.start[0],
            "end_x": a.end_x,
            "width_px": a.width,
            "height_px": a.height,
            "split": "test" if name in TEST_LEVELS else "train",
            "loops": a.loops,
        }
    return _json(facts)
