"""Adds to a report's content its pictures, the data behind them, and finds its videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.errors import RunFolderError
from sonic_sb3.report.action_names import action_names
from sonic_sb3.report.arm_numbers import common_levels, score_matrix
from sonic_sb3.report.content import Content, Picture
from sonic_sb3.report.curves import AXES, Curve, action_mix, curves_of, ends_of
from sonic_sb3.report.level_maps import draw_level, picture_path
from sonic_sb3.report.measures import MEASURES, Groups
from sonic_sb3.report.page import Video
from sonic_sb3.report.pictures import draw_actions, draw_curves, draw_intervals, draw_profile

MAX_VIDEO_BYTES = 30_000_000
MAX_MAPS = 64  # more than any game has levels; a stranger's files may name others
_CURVES = ("progress", "completion")


def illustrate(content: Content, groups: Groups) -> None:
    """
    Draw everything that the runs allow.

    :param content: What it is added to.
    :param groups: Arms.
    """
    _add_intervals(content, list(groups))
    _add_curves(content, groups)
    _add_profile(content, groups)
    _add_actions(content, groups)
    _add_maps(content, groups)


def curve_measures(groups: Groups) -> tuple[str, ...]:
    """What the curves show: the way and its end, and the return where a game has neither."""
    measures = [
        {name for record in records for name in record.training.values}
        for records in groups.values()
    ]
    found = tuple(m for m in _CURVES if any(m in of_arm for of_arm in measures))
    is_whole = all(of_arm.intersection(found) for of_arm in measures if of_arm)
    return found if found and is_whole else (*found, "episode_return")


def curves_over_timesteps(groups: Groups) -> list[tuple[str, Curve]]:
    """Measure and curve of each arm."""
    return [(m, c) for m in curve_measures(groups) for c in curves_of(groups, m, "timesteps")]


def best_videos(groups: Groups) -> list[Video]:
    """Of each arm the video of the run that did best in its evaluation and has one."""
    videos = []
    for arm, records in groups.items():
        candidates = [r for r in records if _video_of(r) is not None]
        if not candidates:
            continue
        best = max(candidates, key=_value)
        path = _video_of(best)
        assert path is not None
        caption = "the best episode of the evaluation at the end"
        try:
            videos.append(Video(arm, best.label, caption, path.read_bytes()))
        except OSError as error:
            raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    return videos


def _video_of(record: RunRecord) -> Path | None:
    path = record.path / "video.mp4"
    return path if path.is_file() and path.stat().st_size <= MAX_VIDEO_BYTES else None


def _value(record: RunRecord) -> float:
    """Mean points (or return) of a run; where it has none, it comes last."""
    values = record.final.values if record.final is not None else {}
    for name in ("contest_score", "episode_return"):
        if name in values:
            return float(np.nanmean(values[name]))
    return -np.inf


def _add_intervals(content: Content, arms: Sequence[str]) -> None:
    wanted = [m for m in ("completion", "progress", "contest_score") if _has(content, m)]
    if content.metric not in wanted and _has(content, content.metric):
        wanted.append(content.metric)
    of = {m: [n for n in content.numbers if n.measure == m and not n.level] for m in wanted}
    panels = {f"arms_{m}.png": draw_intervals(numbers, arms) for m, numbers in of.items()}
    caption = "Evaluation at the end: mean over seeds (line), 95 % interval (bar), seeds (dots)."
    if panels:
        content.pictures.append(Picture("Arms side by side", caption, panels))


def _has(content: Content, measure: str) -> bool:
    return any(n.measure == measure for n in content.numbers)


def _add_curves(content: Content, groups: Groups) -> None:
    curves = {axis: _curves(groups, axis) for axis in AXES}
    curves = {axis: by_measure for axis, by_measure in curves.items() if by_measure}
    if not curves:
        return
    caption = (
        "Running mean of the last 100 training episodes: seeds (thin), mean of seeds (thick), 95 % "
        "band of that mean, against timesteps and against minutes."
    )
    arms = list(groups)
    panels = {f"curves_{axis}.png": draw_curves(c, axis, arms) for axis, c in curves.items()}
    content.pictures.append(Picture("Learning", caption, panels))
    rows: list[list[Any]] = [["measure", "axis", "arm", "x", "mean", "low", "high", "n_seeds"]]
    for axis, by_measure in curves.items():
        for measure, of_arms in by_measure.items():
            for curve in of_arms:
                rows += [[measure, axis, curve.arm, *point] for point in _curve_points(curve)]
    content.data["curves.csv"] = rows


def _curves(groups: Groups, axis: str) -> dict[str, list[Curve]]:
    curves = {measure: curves_of(groups, measure, axis) for measure in curve_measures(groups)}
    return {measure: found for measure, found in curves.items() if found}


def _curve_points(curve: Curve) -> list[list[Any]]:
    blank = np.full(len(curve.x), np.nan)
    low = blank if curve.low is None else curve.low
    high = blank if curve.high is None else curve.high
    points = zip(curve.x, curve.mean, low, high, strict=True)
    return [[*map(float, p), len(curve.lines)] for p in points if np.isfinite(p[1])]


def _add_profile(content: Content, groups: Groups) -> None:
    levels = common_levels(groups)
    matrices = {arm: score_matrix(rs, content.metric, levels)[0] for arm, rs in groups.items()}
    scores = {arm: matrix for arm, matrix in matrices.items() if matrix.size}
    if not scores:
        return
    png, rows = draw_profile(scores, content.metric, list(groups))
    label = MEASURES[content.metric].label
    caption = (
        f"Performance profile: the share of seeds and levels whose mean {label} in the evaluation "
        "at the end is above a threshold, with 95 % bands."
    )
    content.pictures.append(Picture("Performance profile", caption, {"profile.png": png}))
    content.data["profile.csv"] = [["arm", "threshold", "share", "low", "high"], *rows]


def _add_actions(content: Content, groups: Groups) -> None:
    mixes = []
    for arm, records in groups.items():
        names = next((found for r in records if (found := action_names(r))), [])
        if names and (mix := action_mix(arm, records, names)) is not None:
            mixes.append(mix)
    if not mixes:
        return
    caption = (
        "Which share of the timesteps each action took, all seeds of an arm together, as far as "
        "all of them go. Red goes left, blue goes right: a policy that collapsed shows as one "
        "broad band."
    )
    panels = {f"actions_{k}.png": draw_actions(mix) for k, mix in enumerate(mixes)}
    content.pictures.append(Picture("Actions", caption, panels))
    rows: list[list[Any]] = [["arm", "from_timesteps", "to_timesteps", "action", "share"]]
    for mix in mixes:
        for bounds, shares in zip(
            zip(mix.edges[:-1], mix.edges[1:], strict=True), mix.shares, strict=True
        ):
            rows += [
                [mix.arm, *map(float, bounds), name, float(share)]
                for name, share in zip(mix.names, shares, strict=True)
            ]
    content.data["actions.csv"] = rows


def _add_maps(content: Content, groups: Groups) -> None:
    rows: list[list[Any]] = [["game", "level", "arm", "run", "phase", "x", "y", "end_reason"]]
    for game_id, level in _levels(groups)[:MAX_MAPS]:
        of_game = {a: [r for r in rs if r.env_id == game_id] for a, rs in groups.items()}
        of_game = {arm: records for arm, records in of_game.items() if records}
        training = {a: ends_of([r.training for r in rs], level) for a, rs in of_game.items()}
        final = {a: ends_of([r.final for r in rs], level) for a, rs in of_game.items()}
        if not any(len(e.x) for e in (*training.values(), *final.values())):
            continue
        has_picture = picture_path(game_id, level) is not None
        caption = (
            f"{level}: where episodes ended, dark of the evaluation, pale of training. The area of "
            "a mark is the share of the arm's episodes that ended there."
            + ("" if has_picture else " There is no picture of this level.")
        )
        name = f"map_{len(content.pictures):02}.png"
        png = draw_level(game_id, level, training, final)
        content.pictures.append(Picture(f"Where it ends: {level}", caption, {name: png}, True))
        for phase in ("training", "evaluation"):
            for arm, records in of_game.items():
                for record in records:
                    table = record.training if phase == "training" else record.final
                    ends = ends_of([table], level)
                    rows += [
                        [game_id, level, arm, record.label, phase, float(x), float(y), str(reason)]
                        for x, y, reason in zip(ends.x, ends.y, ends.end_reason, strict=True)
                    ]
    if len(rows) > 1:
        content.data["ends.csv"] = rows


def _levels(groups: Groups) -> Sequence[tuple[str, str]]:
    found = set()
    for records in groups.values():
        for record in records:
            for table in (record.training, record.final):
                if table is not None:
                    found |= {(record.env_id, level) for level in table.level.tolist() if level}
    return sorted(found)
