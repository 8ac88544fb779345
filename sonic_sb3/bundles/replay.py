"""An input movie played on the emulator, in a process of its own: what comes out is a proof."""

from __future__ import annotations

import hashlib
import multiprocessing
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.errors import SonicError, WorkerError


@dataclass(frozen=True)
class Replay:
    """
    What a movie leads to.

    :param n_frames: Frames until the game ended it, or all of the movie's.
    :param ram_sha256: Of the work RAM after the last frame.
    :param screen_sha256: Of the picture after the last frame.
    :param end_reason: Why the game ended it; ``None`` where it did not, as at a time limit.
    :param facts: What the game then tells: ``is_success progress contest_score game_time_s``, as
        far as it has them.
    """

    n_frames: int
    ram_sha256: str
    screen_sha256: str
    end_reason: str | None
    facts: dict[str, bool | float]


def replay(game_id: str, level: str, inputs: npt.NDArray[np.uint8]) -> Replay:
    """
    Play a movie.

    :param game_id: The game.
    :param level: Where the movie begins.
    :param inputs: (n_frames, 12) of 0 and 1.
    :raises SonicError: The game cannot be played here, or its emulator died.
    """
    # A process has one emulator, and the caller may use it.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (sender, game_id, level, inputs)
    process = context.Process(target=_send_replay, args=arguments, daemon=True)
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError as error:
        raise WorkerError(f"the movie of {game_id} {level} ended the emulator") from error
    finally:
        receiver.close()
        process.join()
    if isinstance(result, SonicError):
        raise result
    assert isinstance(result, Replay)
    return result


def _send_replay(
    sender: Connection, game_id: str, level: str, inputs: npt.NDArray[np.uint8]
) -> None:
    try:
        sender.send(_replay(game_id, level, inputs))
    except SonicError as error:
        sender.send(error)


def _replay(game_id: str, level: str, inputs: npt.NDArray[np.uint8]) -> Replay:
    parent = multiprocessing.parent_process()
    env = GameEnv(game_id, level)
    env.reset()
    end_reason = None
    for n_frames, buttons in enumerate(inputs, start=1):
        if parent is not None and not parent.is_alive():
            sys.exit(1)  # nobody is left to be told
        is_last = n_frames == len(inputs)
        _, ended, info = env.run_frames([buttons], is_last_seen=is_last)
        if ended:
            end_reason = info["end_reason"]
            break
    facts = env.end_facts(end_reason or "time_limit")
    result = Replay(
        n_frames=env.n_frames,
        ram_sha256=hashlib.sha256(env.emulator.read_ram()).hexdigest(),
        screen_sha256=hashlib.sha256(env.emulator.screen().tobytes()).hexdigest(),
        end_reason=end_reason,
        facts={key: value for key, value in facts.items() if isinstance(value, bool | float)},
    )
    env.close()
    return result
