"""The pangolin's sheet: every animation, its cells, and their names."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from pangolin.art.draw import palette as pal
from pangolin.art.draw.ball import draw_ball, draw_spindash
from pangolin.art.draw.canvas import Pixels, save_png
from pangolin.art.draw.rig import CELL, Pose, draw_pose

COLUMNS = 8
TURNS_DEG = (0, 45, 90, 135)


def walk_pose(frame: int) -> Pose:
    """Six frames of a walk: contact, down, passing, contact, down, passing."""
    feet = [(20.0, 29.6), (16.5, 30.0), (12.5, 30.0), (8.2, 29.6), (10.5, 26.0), (16.5, 25.8)]
    toes = [14, 0, 0, -24, -40, 6]
    other = (frame + 3) % 6
    bob = [0.6, 0.2, -0.4][frame % 3]
    swing = math.sin(2 * math.pi * frame / 6)
    return Pose(
        near=feet[frame],
        far=feet[other],
        toes=(toes[frame], toes[other]),
        bob=bob,
        lean=0.6,
        tail=1.0 + swing,
        hand=(22.0 - 1.6 * swing, 21.4),
        scarf=0.6 + 0.6 * math.cos(2 * math.pi * frame / 6),
    )


def run_pose(frame: int) -> Pose:
    """Four frames of a run: the legs are a wheel."""
    return Pose(
        wheel=frame / 8,
        bob=[0.0, 0.4, 0.0, -0.4][frame],
        lean=1.2,
        head=(-0.6, 0.8),
        tail=4.0 + [0.0, 0.6, 0.0, -0.6][frame],
        hand=(19.0, 21.8),
        scarf=1.6 + [0.0, 0.9, 0.0, -0.9][frame],
    )


def animations() -> dict[str, list[Pixels]]:
    """Every animation's cells, in the sheet's order."""
    sets: dict[str, list[Pixels]] = {
        "idle": [draw_pose(Pose()), draw_pose(Pose(bob=0.7, tail=1.2, hand=(21.5, 22.2)))]
    }
    for turn in TURNS_DEG:
        sets[f"walk_{turn}"] = [draw_pose(walk_pose(frame), turn) for frame in range(6)]
    for turn in TURNS_DEG:
        sets[f"run_{turn}"] = [draw_pose(run_pose(frame), turn) for frame in range(4)]
    sets["ball"] = [draw_ball(frame) for frame in range(8)]
    sets["spindash"] = [draw_spindash(frame) for frame in range(4)]
    sets |= _single_poses()
    return sets


def _single_poses() -> dict[str, list[Pixels]]:
    crouch = Pose(near=(17, 30), far=(10, 30), bob=4.6, head=(0.2, 3.6), hand=(22.5, 23.0))
    skid = [
        Pose(near=(21, 29.6), far=(17.5, 30), toes=(22, 20), bob=1.6, lean=-3.0, tail=tail,
             head=(0.5, 0.6), hand=(25.0, 21.0), eye="shut", scarf=-0.5)
        for tail in (3.0, 4.4)
    ]  # fmt: skip
    push = [
        Pose(near=near, far=far, lean=2.2, bob=1.4, hand=(25.5, 17.5), head=(-1.4, 1.0), tail=-1.0)
        for near, far in (((10, 30), (16, 30)), ((15.5, 30), (8.5, 29.8)))
    ]
    hurt = Pose(near=(20, 27), far=(15, 28.5), toes=(40, 30), lean=-3.2, bob=0.8, tail=6.0,
                head=(-0.4, -0.6), hand=(25.0, 19.0), eye="hurt", scarf=-1.5)  # fmt: skip
    dead = Pose(near=(20, 28.5), far=(8, 28.5), toes=(30, -30), lean=-1.0, tail=8.0,
                head=(0.0, 0.0), hand=(25.5, 19.0), eye="hurt", scarf=3.0)  # fmt: skip
    spring = [
        Pose(near=(15 + k, 30.4), far=(11 + k, 29.4), toes=(-50, -50), bob=-1.2, lean=-1.0,
             tail=-3.0 - 2 * k, head=(-0.4, -1.4), hand=(29.0, 5.4 + k), hand_behind=True,
             scarf=-2.0 - k)
        for k in (0, 1)
    ]  # fmt: skip
    victory = [
        Pose(near=(16.5, 30), far=(10.5, 30), lean=-1.0, bob=-0.4 + k, tail=3.0 + 2 * k,
             head=(0.2, -0.8), hand=(30.0 - k, 5.6 + 2 * k), hand_behind=True, eye="happy", scarf=k)
        for k in (0, 1)
    ]  # fmt: skip
    balance = [
        Pose(near=(17.5, 29.8), far=(12 + k, 28.4), toes=(0, 20), lean=2.4 - k, tail=5.0 + 3 * k,
             head=(0.4, 0.6), hand=(25.0, 19.0 + 2 * k), eye="open", scarf=1.5 * k)
        for k in (0, 1)
    ]  # fmt: skip
    return {
        "crouch": [draw_pose(crouch)],
        "skid": [draw_pose(pose) for pose in skid],
        "push": [draw_pose(pose) for pose in push],
        "hurt": [draw_pose(hurt)],
        "dead": [draw_pose(dead)],
        "spring": [draw_pose(pose) for pose in spring],
        "victory": [draw_pose(pose) for pose in victory],
        "balance": [draw_pose(pose) for pose in balance],
    }


def write(folder: Path) -> None:
    """Writes ``pangolin.png`` and ``pangolin.json``."""
    cells: list[Pixels] = []
    index: dict[str, list[int]] = {}
    for name, frames in animations().items():
        index[name] = list(range(len(cells), len(cells) + len(frames)))
        cells += frames
    sheet = np.zeros((-(-len(cells) // COLUMNS) * CELL, COLUMNS * CELL), np.uint8)
    for number, cell in enumerate(cells):
        y, x = number // COLUMNS * CELL, number % COLUMNS * CELL
        sheet[y : y + CELL, x : x + CELL] = cell
    save_png(folder / "pangolin.png", sheet, pal.PLAYER)
    (folder / "pangolin.json").write_text(json.dumps(index, indent=1) + "\n")
