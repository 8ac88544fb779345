"""The README's table of tuned agents, generated from the bundles in ``zoo/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sonic_sb3.atomic_files import write_text
from sonic_sb3.bundles.archive import SUFFIX
from sonic_sb3.bundles.claims import read_claims
from sonic_sb3.bundles.contents import PROVENANCE, Bundle, open_bundle
from sonic_sb3.errors import BundleError

BEGIN = "<!-- zoo: made by `make zoo-table` -->"
END = "<!-- /zoo -->"
_HEADING = ("agent", "level", "completed", "95 % interval", "seconds", "timesteps", "minutes")
_EMPTY = "No agents yet: `python -m sonic_sb3.share pack RUN -o zoo/NAME.sonic.zip` adds one."


def make_table(folder: Path) -> str:
    """
    A row per agent and level, in Markdown.

    :param folder: With ``.sonic.zip`` files; bundles that are no agents are left out.
    :raises SonicError: A bundle may not be opened or contradicts itself.
    """
    if not folder.is_dir():
        raise BundleError(f"no folder {folder}: expected one with bundles, *{SUFFIX}")
    bundles = [open_bundle(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    rows = [row for bundle in bundles if bundle.kind == "agent" for row in _rows(bundle)]
    if not rows:
        return _EMPTY
    heading = [*_HEADING, "hyperparameters"]
    return "\n".join(_line(row) for row in [heading, ["---"] * len(heading), *rows])


def replace_table(text: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """
    Put a table between two marks of a text.

    :param text: The README's.
    :param table: The table.
    :param begin: The mark above it.
    :param end: The mark below it.
    :raises BundleError: It lacks the marks.
    """
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise BundleError(f"expected the marks {begin} and {end} in the file")
    return f"{before}{begin}\n{table}\n{end}{after}"


def update_table(readme: Path, folder: Path) -> bool:
    """
    Bring a README's table up to date.

    :param readme: The file.
    :param folder: With the bundles.
    :returns: Whether it changed.
    :raises SonicError: As :func:`make_table` and :func:`replace_table`.
    """
    try:
        old = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise BundleError(f"cannot read {readme}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BundleError(f"{readme}: expected text in UTF-8 ({error.reason})") from error
    new = replace_table(old, make_table(folder))
    if new != old:
        write_text(readme, new)
    return new != old


def _rows(bundle: Bundle) -> list[list[str]]:
    agent = bundle.agent
    training_s = bundle.mapping(PROVENANCE).get("training_s")
    minutes = f"{training_s / 60:.0f}" if isinstance(training_s, int | float) else "-"
    settings = bundle.hyperparameters.algorithm_kwargs()
    shown = [f"{key} {settings[key]}" for key in _shown_keys(settings)]
    rows = []
    for level, summary in read_claims(bundle).by_level().items():
        rate, interval, seconds = "-", "-", "-"
        if summary.completion_rate is not None and summary.completion_rate_interval is not None:
            low, high = summary.completion_rate_interval
            rate, interval = f"{summary.completion_rate:.0%}", f"{low:.0%} .. {high:.0%}"
        if "completion_time_s" in summary.means:
            seconds = f"{summary.means['completion_time_s']:.1f}"
        facts = [rate, f"{interval} (n = {summary.n_episodes})", seconds]
        n_timesteps = agent.n_timesteps_trained
        trained = ["-" if n_timesteps is None else f"{n_timesteps:,}", minutes]
        names = [f"`zoo/{bundle.index.name}`", level]
        rows.append([*names, *facts, *trained, f"{agent.algo}: {', '.join(shown)}"])
    return rows


def _shown_keys(settings: dict[str, object]) -> Sequence[str]:
    order = (
        "learning_rate",
        "n_steps",
        "batch_size",
        "n_epochs",
        "gamma",
        "ent_coef",
        "clip_range",
    )
    return [key for key in order if key in settings]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
