"""
A folder for ``tensorboard --logdir``: seeds below their arms, bands, HPARAMS, laid-out charts.

Written from the runs' files alone with TensorBoard's own writer: the same runs, the same bytes.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from sonic_sb3.arm_names import flatten_settings
from sonic_sb3.atomic_files import replacing
from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.episode_tables import Column
from sonic_sb3.report.action_names import action_names
from sonic_sb3.report.curves import Curve, action_mix, running_mean
from sonic_sb3.report.measures import GOALS, MEASURES, Groups, Number

FILE_NAME = "events.out.tfevents.0000000000.sonic_sb3"
OVERVIEW = "overview"
BAND_RUN = "mean of seeds"
MAX_POINTS = 400
_TRAINING = ("progress", "completion", "contest_score", "episode_return", "n_timesteps")
_FINAL = ("completion", "progress", "contest_score", "completion_time_s", "episode_return")

Point = tuple[int, float, float]  # step, wall time in seconds, value


def write_tensorboard(
    groups: Groups, numbers: Sequence[Number], curves: Sequence[tuple[str, Curve]], folder: Path
) -> None:
    """
    Replace the folder.

    :param groups: Arms.
    :param numbers: Those of the runs become the metrics of HPARAMS.
    :param curves: Measure and curve over timesteps, for the bands.
    :param folder: What ``tensorboard --logdir`` is to open.
    """
    shutil.rmtree(folder, ignore_errors=True)
    names = safe_names(list(groups))
    metrics = _metrics_of(numbers)
    kinds = _kinds_of_hparams(groups)
    actions = sorted({name for rs in groups.values() for r in rs for name in action_names(r)})
    overview = [_experiment(kinds, metrics), _layout(names, curves, actions)]
    _write(folder / OVERVIEW, [_event(0, 0.0, summary) for summary in overview])
    for arm, records in groups.items():
        labels = safe_names([record.label for record in records])
        for record in records:
            at = folder / names[arm] / labels[record.label]
            own = [n for n in numbers if n.arm == arm and n.run == record.label and not n.level]
            _write(at, _run_events(arm, record, kinds, own))
        bands = [(measure, curve) for measure, curve in curves if curve.arm == arm]
        if bands:
            _write(folder / names[arm] / BAND_RUN, _band_events(bands))


def safe_names(texts: Sequence[str]) -> dict[str, str]:
    """A folder name for each text: no separators, none twice, none hidden."""
    names: dict[str, str] = {}
    for text in texts:
        if text in names:
            continue
        name = re.sub(r"[^\w.+=: -]", "_", text).strip(". ")[:100] or "_"
        while name.lower() in (used.lower() for used in names.values()):
            name += "_"
        names[text] = name
    return names


def _metrics_of(numbers: Sequence[Number]) -> list[str]:
    used = {n.measure for n in numbers if n.run}
    return [m for m in (*_FINAL, *GOALS, "training_score") if m in used]


def _kinds_of_hparams(groups: Groups) -> dict[str, str]:
    """Name of a hyperparameter -> its type in HPARAMS, one for all runs: they are sorted by it."""
    settings = [_hparams(arm, r) for arm, records in groups.items() for r in records]
    kinds = {}
    for name in sorted({name for of_run in settings for name in of_run}):
        values = [of_run[name] for of_run in settings if name in of_run]
        kinds[name] = "DATA_TYPE_STRING"
        if all(isinstance(v, bool) for v in values):
            kinds[name] = "DATA_TYPE_BOOL"
        elif all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            kinds[name] = "DATA_TYPE_FLOAT64"
    return kinds


def _experiment(kinds: Mapping[str, str], metrics: Sequence[str]) -> summary_pb2.Summary:
    """Which hyperparameters and metrics there are, so that HPARAMS has its columns."""
    infos = [api_pb2.HParamInfo(name=name, type=kind) for name, kind in kinds.items()]
    metric_infos = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=f"final/{name}"), display_name=MEASURES[name].label
        )
        for name in metrics
    ]
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=metric_infos)
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    return _hparams_summary(hparams_metadata.EXPERIMENT_TAG, data)


def _hparams(arm: str, record: RunRecord) -> dict[str, bool | float | str]:
    """What was tried, by name; seeds of an arm share it, and so form one row of HPARAMS."""
    flat: dict[str, Any] = {"arm": arm, **flatten_settings(record.manifest)}
    return {
        name: value if isinstance(value, bool) or _is_number(value) else _say(value)
        for name, value in flat.items()
        if value is not None
    }


def _is_number(value: Any) -> bool:
    """Whether a float can hold it; a stranger's manifest may have larger ones."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _say(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _hparams_summary(tag: str, data: Any) -> summary_pb2.Summary:
    metadata = hparams_metadata.create_summary_metadata(data)
    # Written again, because maps come out in another order in every process.
    content = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    metadata.plugin_data.content = content.SerializeToString(deterministic=True)
    value = summary_pb2.Summary.Value(
        tag=tag,
        metadata=metadata,
        tensor=hparams_metadata.NULL_TENSOR,
    )
    return summary_pb2.Summary(value=[value])


def _layout(
    names: Mapping[str, str], curves: Sequence[tuple[str, Curve]], actions: Sequence[str]
) -> summary_pb2.Summary:
    """Charts of CUSTOM SCALARS: bands of arms side by side, then all seeds, then actions."""
    measures = list(dict.fromkeys(measure for measure, _ in curves))
    bands = [
        layout_pb2.Chart(
            title=measure,
            margin=layout_pb2.MarginChartContent(
                series=[
                    layout_pb2.MarginChartContent.Series(
                        value=f"band/{measure}/mean",
                        lower=f"band/{measure}/low",
                        upper=f"band/{measure}/high",
                    )
                ]
            ),
        )
        for measure in measures
    ]
    seeds = [_chart(measure, [f"^training/{measure}$"]) for measure in measures]
    shares = [_chart(name, [f"^actions/{re.escape(name)}$"]) for name in actions]
    layout = layout_pb2.Layout(
        version=0,
        category=[
            layout_pb2.Category(title="arms: mean of seeds and 95 % band", chart=bands),
            layout_pb2.Category(title="seeds", chart=seeds),
            layout_pb2.Category(title="share of actions", chart=shares, closed=True),
        ],
    )
    value = summary_pb2.Summary.Value(
        tag=custom_scalar.CONFIG_SUMMARY_TAG,
        metadata=custom_scalar.create_summary_metadata(),
        tensor=tensor_util.make_tensor_proto(layout.SerializeToString()),
    )
    return summary_pb2.Summary(value=[value])


def _chart(title: str, tags: Sequence[str]) -> layout_pb2.Chart:
    return layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=tags))


def _run_events(
    arm: str, record: RunRecord, kinds: Mapping[str, str], numbers: Sequence[Number]
) -> Iterator[event_pb2.Event]:
    started_s = record.started_s
    start = plugin_data_pb2.SessionStartInfo(group_name=arm, start_time_secs=started_s)
    for name, value in sorted(_hparams(arm, record).items()):
        field = start.hparams[name]
        if kinds[name] == "DATA_TYPE_BOOL":
            field.bool_value = bool(value)
        elif kinds[name] == "DATA_TYPE_FLOAT64":
            field.number_value = float(value)
        else:
            field.string_value = str(value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    yield _event(0, started_s, _hparams_summary(hparams_metadata.SESSION_START_INFO_TAG, data))
    for tag, points in _scalars(arm, record).items():
        for step, wall_time, value in points:
            yield _event(step, wall_time, _scalar(tag, value))
    last_step = int(record.training.timesteps[-1]) if len(record.training) else 0
    for number in numbers:
        if np.isfinite(number.value):
            yield _event(last_step, started_s, _scalar(f"final/{number.measure}", number.value))
    end = plugin_data_pb2.SessionEndInfo(status="STATUS_SUCCESS", end_time_secs=started_s)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    yield _event(0, started_s, _hparams_summary(hparams_metadata.SESSION_END_INFO_TAG, data))


def _scalars(arm: str, record: RunRecord) -> dict[str, list[Point]]:
    table = record.training
    wall_times = record.started_s + np.nan_to_num(table.seconds)
    chosen = np.unique(np.linspace(0, max(0, len(table) - 1), MAX_POINTS).astype(int))
    chosen = chosen[: len(table)]
    scalars = {
        f"training/{measure}": _points(
            table.timesteps[chosen], wall_times[chosen], running_mean(table.values[measure])[chosen]
        )
        for measure in _TRAINING
        if measure in table.values
    }
    mix = action_mix(arm, [record], action_names(record))
    for k, name in enumerate(mix.names if mix else ()):
        assert mix is not None
        middles = (mix.edges[:-1] + mix.edges[1:]) / 2
        at = np.interp(middles, table.timesteps, wall_times)
        scalars[f"actions/{name}"] = _points(middles, at, mix.shares[:, k])
    history = record.history
    for measure, values in history.values.items() if history else ():
        assert history is not None
        at = np.full(len(history.timesteps), record.started_s)
        if len(table):
            at = np.interp(history.timesteps, table.timesteps, wall_times)
        scalars[f"evaluation/{measure}"] = _points(history.timesteps, at, values.mean(axis=1))
    return scalars


def _band_events(bands: Sequence[tuple[str, Curve]]) -> Iterator[event_pb2.Event]:
    for measure, curve in bands:
        low = curve.mean if curve.low is None else curve.low
        high = curve.mean if curve.high is None else curve.high
        for name, values in (("mean", curve.mean), ("low", low), ("high", high)):
            # Seeds run at different times: these have none of their own.
            for step, wall_time, value in _points(curve.x, np.zeros(len(curve.x)), values):
                yield _event(step, wall_time, _scalar(f"band/{measure}/{name}", value))


def _points(steps: Column, wall_times: Column, values: Column) -> list[Point]:
    return [
        (round(step), float(wall_time), float(value))
        for step, wall_time, value in zip(steps, wall_times, values, strict=True)
        if np.isfinite(value)
    ]


def _scalar(tag: str, value: float) -> summary_pb2.Summary:
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])


def _event(step: int, wall_time: float, summary: summary_pb2.Summary) -> event_pb2.Event:
    return event_pb2.Event(step=step, wall_time=wall_time, summary=summary)


def _write(folder: Path, events: Iterator[event_pb2.Event] | Sequence[event_pb2.Event]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / FILE_NAME) as temporary, temporary.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(event_pb2.Event(file_version="brain.Event:2").SerializeToString())
        for event in events:
            writer.write(event.SerializeToString(deterministic=True))
