"""Learning curves as tables: training episode by episode, evaluation by evaluation."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sonic_sb3.array_files import read_arrays
from sonic_sb3.bundles.contents import EVALUATION_CURVE, TRAINING_CURVE
from sonic_sb3.errors import BundleError
from sonic_sb3.monitor_files import RETRY_COLUMN
from sonic_sb3.strange_files import read_file, unpack_gzip

_MAX_ROWS = 20_000
_MAX_TABLE_BYTES = 256_000_000


def read_curves(run: Path) -> dict[str, bytes]:
    """
    The curves of a run folder, ours or rl-zoo3's, as far as it has them.

    :param run: The folder.
    :returns: CSV files of a bundle, by name.
    :raises BundleError: A file is damaged.
    """
    curves = {}
    monitors = sorted(run.glob("*.monitor.csv")) + sorted(run.glob("*.monitor.csv.gz"))
    if monitors:
        curves[TRAINING_CURVE] = clean_table(_monitor_rows(monitors))
    if (run / "evaluations.npz").is_file():
        curves[EVALUATION_CURVE] = evaluations_table(run / "evaluations.npz")
    return curves


def evaluations_table(path: Path) -> bytes:
    """
    SB3's ``evaluations.npz`` as CSV: a row per evaluation.

    :param path: The file; it is read without pickle.
    :raises SonicError: It is damaged.
    """
    arrays = read_arrays(path)
    try:
        timesteps, results = arrays["timesteps"], arrays["results"]
        successes = arrays.get("successes")
        if timesteps.ndim != 1 or timesteps.dtype.kind not in "iu" or results.ndim != 2:
            raise ValueError("expected a row of returns for each number of timesteps")
        if not len(timesteps) == len(results) == len(results if successes is None else successes):
            raise ValueError("its arrays have different lengths")
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: expected SB3's evaluations ({error})") from error
    rows = [["timesteps", "mean_reward", "std_reward", "n_episodes", "success_rate"]]
    for k, (timestep, returns) in enumerate(zip(timesteps, results, strict=True)):
        rate = "" if successes is None else f"{np.mean(successes[k]):.6g}"
        figures = [f"{np.mean(returns):.6g}", f"{np.std(returns):.6g}", str(len(returns)), rate]
        rows.append([str(int(timestep)), *figures])
    return clean_table(rows)


def clean_table(rows: Iterable[Sequence[str]]) -> bytes:
    """
    A CSV as a bundle may hold it: absent instead of NaN or infinite, no formula.

    :param rows: The heading, then the rows.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow([_clean(cell) for cell in row])
    return buffer.getvalue().encode()


def read_table(path: Path) -> list[list[str]]:
    """
    A CSV's rows, also a gzipped one's; a first line that begins with ``#`` is left out.

    :param path: The file.
    :raises BundleError: It cannot be read.
    """
    try:
        content = read_file(path, _MAX_TABLE_BYTES, follows_links=True)
        if path.suffix == ".gz":
            content = unpack_gzip(content, _MAX_TABLE_BYTES)
        text = content.decode("utf-8")
        return list(csv.reader(line for line in io.StringIO(text) if not line.startswith("#")))
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise BundleError(f"cannot read the table {path}: {error}") from error


def _monitor_rows(paths: Sequence[Path]) -> list[list[str]]:
    """Episodes of all monitors in the order they ended, with the timesteps trained until then."""
    tables = [read_table(path) for path in paths]
    heading = tables[0][0] if tables[0] else []
    if "l" not in heading or "t" not in heading:
        raise BundleError(f"{paths[0]}: expected a monitor with the columns l and t")
    lengths, times = heading.index("l"), heading.index("t")
    retries = heading.index(RETRY_COLUMN) if RETRY_COLUMN in heading else None
    rows = [row for table in tables for row in table[1:] if len(row) == len(heading)]
    rows.sort(key=lambda row: _number(row[times]))
    total = 0.0
    counted = []
    for row in rows:
        total += _number(row[lengths])
        if retries is None or row[retries] != "True":
            counted.append([f"{total:.0f}", *row])
    step = math.ceil(len(counted) / _MAX_ROWS) or 1
    return [["timesteps", *heading], *counted[step - 1 :: step]]


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _clean(cell: str) -> str:
    try:
        return cell if math.isfinite(float(cell)) else ""
    except ValueError:
        text = "".join(c for c in cell if c.isprintable())
        return text.lstrip("=+-@ \t")
