"""Generated settings files: each is accepted, or refused in one line that helps."""

from __future__ import annotations

import re
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from sonic_sb3.errors import SonicError
from sonic_sb3.hyperparams import load_hyperparameters
from tests.chaos.outcome import Outcome, Progress
from tests.chaos.strategies import mutated_entries, texts

MAX_S = 10.0
_EXPECTATION = re.compile(
    r"expected|unknown key|should|required|stands twice|cannot read|at most|at least"
)


def check_settings(path: Path, text: str, key: str | None) -> str | None:
    """
    Read a settings file as every command does.

    :param path: Where to put it.
    :param text: Its contents.
    :param key: The only key that can be wrong, if that is known.
    :returns: What is wrong with how it was received; ``None`` for nothing.
    """
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    started_s = time.monotonic()
    message = None
    try:
        load_hyperparameters("ppo", "default", path)
    except SonicError as error:
        message = " ".join(str(error).split())
    except Exception as error:
        return f"{type(error).__name__}: {error} for {text[:200]!r}"
    if time.monotonic() - started_s > MAX_S:
        return f"took {time.monotonic() - started_s:.0f} s for {text[:200]!r}"
    if message is None:
        return None
    if str(path) not in message:
        return f"does not name the file: {message[:200]}"
    knows_where = "YAML" in message or ", line " in message or "nested" in message
    if key is not None and key not in message and not knows_where:
        return f"does not name {key}: {message[:200]}"
    if not _EXPECTATION.search(message):
        return f"does not say what was expected: {message[:200]}"
    return None


def feed_settings(folder: Path, n_files: int, seed: int) -> Outcome:
    """
    Generate settings files and read them.

    :param folder: To work in.
    :param n_files: So many.
    :param seed: Of the generator.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome("settings")
    path = folder / "settings.yml"
    progress = Progress("settings", n_files)
    slowest_s = 0.0

    @hypothesis_seed(seed)
    @settings(
        max_examples=n_files,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(mutated_entries(), st.tuples(texts(), st.none())))
    def feed(case: tuple[str, str | None]) -> None:
        nonlocal slowest_s
        started_s = time.monotonic()
        problem = check_settings(path, *case)
        if time.monotonic() - started_s > slowest_s:
            slowest_s = time.monotonic() - started_s
            outcome.facts["slowest began"] = " ".join(case[0].split())[:60]
        outcome.n_events += 1
        if problem is not None and len(outcome.failures) < 20:
            outcome.failures.append(problem)
        progress.show(outcome.n_events)

    feed()
    outcome.facts["slowest s"] = round(slowest_s, 3)
    return outcome
