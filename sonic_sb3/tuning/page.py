"""A study on one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from optuna.trial import TrialState

from sonic_sb3.atomic_files import write_text
from sonic_sb3.tuning.progress import describe_params, describe_value
from sonic_sb3.tuning.results import Contender
from sonic_sb3.tuning.study import FAILURE, OpenStudy

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #1d2733; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { border-bottom: 1px solid #d9e0e7; padding: 0.3rem 0.7rem; text-align: left;
         vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
img { max-width: 100%; } .scroll { overflow-x: auto; } .dim { color: #66727f; }
"""


def write_page(
    path: Path, study: OpenStudy, contenders: Sequence[Contender], charts: Mapping[str, Path]
) -> None:
    """
    Write the page.

    :param path: The file to make or replace.
    :param study: The study.
    :param contenders: Its best trials; may be none.
    :param charts: Titles and PNGs, which are put into the page.
    """
    parts = [
        f"<h1>Study {_text(study.name)}</h1>",
        _facts(study),
        "<h2>The best, confirmed and as found</h2>",
        "<p class=dim>The value that the study found is the best of many, so chance has helped it; "
        "fresh seeds say what to expect. Means over trainings with 95 % intervals.</p>",
        _contenders(contenders),
        *(f"<h2>{_text(title)}</h2>{_image(title, png)}" for title, png in charts.items()),
        "<h2>All trials</h2>",
        _trials(study),
    ]
    body = "\n".join(parts)
    write_text(
        path,
        f"<!DOCTYPE html>\n<html lang=en>\n<head><meta charset=utf-8>"
        f"<meta name=viewport content='width=device-width'>"
        f"<title>{_text(study.name)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body>\n</html>\n",
    )


def _facts(study: OpenStudy) -> str:
    settings = study.settings
    trials = study.trials()
    states = {state: sum(t.state == state for t in trials) for state in TrialState}
    counts = ", ".join(f"{n} {state.name.lower()}" for state, n in states.items() if n)
    facts = {
        "game": f"{settings.env}, {', '.join(settings.levels)}",
        "algorithm": settings.algo,
        "trials": counts or "none",
        "each trial": f"{settings.n_seeds} seeds of {settings.n_timesteps:,} timesteps, "
        f"{settings.eval_episodes} episodes of evaluation each",
        "objective": ("area under the curve of " if settings.area else "") + settings.objective,
        "sampler, pruner, seed": f"{settings.sampler}, {settings.pruner}, {settings.seed}",
        "ROM": settings.rom_sha1,
    }
    return _table([], ([_text(key), _text(value)] for key, value in facts.items()))


def _contenders(contenders: Sequence[Contender]) -> str:
    rows = (
        [
            str(c.candidate.trial),
            _text(c.confirmation),
            _text(str(c.found)),
            "" if c.completion is None else f"{c.completion:.1%}",
            _text(", ".join(f"{k} {v}" for k, v in c.candidate.params.items())),
        ]
        for c in contenders
    )
    return _table(["trial", "fresh seeds", "in the study", "completed", "parameters"], rows)


def _trials(study: OpenStudy) -> str:
    rows = []
    for trial in study.trials():
        value, completion, progress = describe_value(trial)
        failure = trial.user_attrs.get(FAILURE, "")
        what = describe_params(trial) + (f" ({failure})" if failure else "")
        rows.append(
            [str(trial.number), trial.state.name.lower(), value, completion, progress, _text(what)]
        )
    return _table(["trial", "state", "value", "completed", "progress", "parameters"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    cells = "".join(f"<th>{name}</th>" for name in head)
    lines = [f"<tr>{cells}</tr>"] if head else []
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "<div class=scroll><table>" + "\n".join(lines) + "</table></div>"


def _image(title: str, png: Path) -> str:
    data = base64.b64encode(png.read_bytes()).decode()
    return f"<img alt='{_text(title)}' src='data:image/png;base64,{data}'>"


def _text(text: str) -> str:
    return html.escape(text)
