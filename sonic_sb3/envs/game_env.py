"""One emulated frame a step: the innermost gymnasium env, below all wrappers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.emulator import Emulator
from sonic_sb3.envs.frame_counts import COUNTED, FrameCounts
from sonic_sb3.envs.scoring import game_seconds, make_scoring
from sonic_sb3.errors import SettingsError
from sonic_sb3.games import BUTTONS, FRAMES_PER_SECOND, find_game, resolve_levels

# Variables of data.json that are of use outside, under the names that info has for them.
INFO_VARIABLES = ("x", "y", "rings", "lives", "score", "health", "enemy_health")

Frame = npt.NDArray[np.uint8]
Info = dict[str, Any]


class GameEnv(gym.Env[Frame, npt.NDArray[np.int8]]):
    """
    A level of a game, frame by frame, with the contest's points where the game has them.

    Observation: (height, width, 3) uint8 0..255, RGB, or (height, width, 1) grey. Action: (12,) of
    0 and 1, the pad's buttons. Info: ``x y rings lives score progress`` as far as the game has
    them.

    :param game_id: stable-retro's id of the game.
    :param level: The level to start; ``None`` for the game's default. ``reset`` takes another one
        as ``options={"level": name}``.
    :param obs_size: (height, width) of grey observations, shrunk as :class:`WarpFrame` does it but
        at less cost; ``None`` for the whole screen in colour.
    :param render_mode: ``"rgb_array"`` or ``None``.
    :param record_inputs: Keep the buttons of each frame and tell them at the episode's end, as
        ``input_movie``: whoever replays them sees the same episode.
    :param fast_emulator: Do not emulate what nobody sees or hears, where that is proved exact.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - gymnasium declares it so
        "render_modes": ["rgb_array"],
        "render_fps": FRAMES_PER_SECOND,
    }

    def __init__(
        self,
        game_id: str,
        level: str | Sequence[str] | None = None,
        obs_size: tuple[int, int] | None = None,
        render_mode: str | None = None,
        record_inputs: bool = False,
        fast_emulator: bool = True,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise SettingsError(
                f"expected render_mode 'rgb_array' or None, got {render_mode!r}; "
                "to watch an agent, record a video with `python -m sonic_sb3.evaluate RUN --video`"
            )
        self.game = find_game(game_id)
        self.render_mode = render_mode
        self._obs_size = obs_size
        self.emulator = Emulator(
            game_id,
            _only_level(game_id, level),
            fast_emulator,
            # An env that is only learned from is never asked for a picture after its step.
            keeps_screen=obs_size is None or render_mode is not None,
        )
        self._scoring = make_scoring(self.game)
        known = self.emulator.variable_names
        self._info_names = [name for name in INFO_VARIABLES if name in known]
        self._counts = FrameCounts()
        self._frame_variables = self._scoring.frame_variables
        self._input_movie: list[bytes] | None = [] if record_inputs else None
        self.n_frames = 0
        self.emulator.reset()
        self.observation_space = gym.spaces.Box(0, 255, self.observe().shape, np.uint8)
        self.action_space = gym.spaces.MultiBinary(len(BUTTONS))

    @property
    def level(self) -> str:
        """The level being played."""
        return self.emulator.level

    @property
    def fact_names(self) -> frozenset[str]:
        """What can be told of this game, in info or at an episode's end."""
        return frozenset(
            {
                *self.emulator.variable_names,
                *self._scoring.progress_facts(),
                *self._scoring.recorded_facts,
                *self._scoring.counts,
            }
        )

    @property
    def x_shift_px(self) -> int:
        """What to add to x so that it is of one coordinate system for the whole level."""
        return self._scoring.x_shift_px

    @property
    def counts(self) -> Mapping[str, float]:
        """Sums since the episode's start: what was asked for, and what the scoring counts."""
        return {**self._counts.totals, **self._scoring.counts}

    def count(self, names: Iterable[str]) -> None:
        """Count these frame by frame, from the next reset on. :param names: As ``counts``."""
        self._counts.count(sorted(set(names) & set(COUNTED)))
        variables = (*self._scoring.frame_variables, *self._counts.variables)
        self._frame_variables = tuple(dict.fromkeys(variables))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, Info]:
        """
        Begin an episode at the level's start. The emulator itself draws nothing from the seed.

        :param options: ``{"level": name}`` changes the level.
        """
        super().reset(seed=seed)
        level = (options or {}).get("level")
        if level is not None and level != self.level:
            self.emulator.load_level(_only_level(self.game.id, level))
        self.emulator.reset()
        self.n_frames = 0
        if self._input_movie is not None:
            self._input_movie.clear()
        variables = self.emulator.read_variables()
        self._scoring.reset(variables)
        self._counts.reset(variables)
        return self.observe(), self._make_info()

    def step(
        self, action: npt.NDArray[np.int8] | npt.NDArray[np.uint8]
    ) -> tuple[Frame, float, bool, bool, Info]:
        """Run one frame that is seen."""
        points, terminated, info = self.run_frames([action])
        return self.observe(), points, terminated, False, info

    def run_frames(
        self,
        pads: Sequence[npt.NDArray[np.int8] | npt.NDArray[np.uint8]],
        is_last_seen: bool = True,
    ) -> tuple[float, bool, Info]:
        """
        Run frames with all their accounting, without the cost of pictures that nobody sees. The
        episode's end is the last of them.

        :param pads: The buttons of each frame.
        :param is_last_seen: Whether anybody will look at the last of them.
        :returns: The sum of their points, whether the episode has ended, info.
        """
        # The same buttons stay the same object, by which the emulator knows them.
        as_bytes = {id(pad): np.asarray(pad, dtype=np.uint8) for pad in pads}
        buttons = [as_bytes[id(pad)] for pad in pads]
        points = 0.0
        end_reason = None
        n_frames = 0
        frames = self.emulator.run_frames(buttons, self._frame_variables, is_last_seen)
        for n_frames, variables in enumerate(frames, start=1):
            frame = self._scoring.update(variables)
            points += frame.points
            if self._counts.totals:
                self._counts.update(variables)
            end_reason = frame.end_reason
            if end_reason is not None:
                self.emulator.keep_frames(n_frames)
                break
        self.n_frames += n_frames
        if self._input_movie is not None:
            self._input_movie += [pad.tobytes() for pad in buttons[:n_frames]]
        if end_reason is not None:
            return points, True, self._make_info() | {"end_reason": end_reason}
        # Whoever does not see a frame does not ask for its facts either.
        return points, False, self._make_info() if is_last_seen else {}

    def observe(self) -> Frame:
        """The picture of the last frame, as an observation."""
        if self._obs_size is None:
            return self.emulator.screen()
        obs = np.empty((*self._obs_size, 1), dtype=np.uint8)
        self.emulator.read_grey(obs[:, :, 0])
        return obs

    def end_facts(self, end_reason: str) -> Info:
        """What is told once, when an episode has ended."""
        facts: Info = {
            **self._scoring.end_facts(end_reason),
            "level": self.level,
            "game_time_s": game_seconds(self.n_frames),
            "end_reason": end_reason,
        }
        if self._input_movie is not None:
            facts["input_movie"] = b"".join(self._input_movie)
        return facts

    def render(self) -> Frame | None:
        """The whole screen in colour, as the last seen frame left it."""
        return self.emulator.screen() if self.render_mode == "rgb_array" else None

    def get_snapshot(self) -> Info:
        """Everything that decides what comes next, as plain data."""
        return {
            "np_random": self.np_random.bit_generator.state,
            "level": self.level,
            "state": _without_zeros_at_end(self.emulator.save_state()),
            "scoring": self._scoring.get_snapshot(),
            "counts": self._counts.get_snapshot(),
            "n_frames": self.n_frames,
            "input_movie": None if self._input_movie is None else b"".join(self._input_movie),
        }

    def set_snapshot(self, snapshot: Info) -> None:
        """Go on where the snapshot was taken. The picture is that of the next frame seen."""
        self.np_random.bit_generator.state = snapshot["np_random"]
        if snapshot["level"] != self.level:
            self.emulator.load_level(_only_level(self.game.id, snapshot["level"]))
        self.emulator.load_state(snapshot["state"])
        self._scoring.set_snapshot(snapshot["scoring"])
        if "counts" in snapshot:  # a run begun before there were any
            self._counts.set_snapshot(snapshot["counts"])
        self.n_frames = snapshot["n_frames"]
        movie = snapshot["input_movie"]
        if movie is not None:
            n_buttons = len(BUTTONS)
            frames = range(0, len(movie), n_buttons)
            self._input_movie = [movie[k : k + n_buttons] for k in frames]

    def close(self) -> None:
        """Free the emulator for other envs of this process."""
        self.emulator.close()

    def _make_info(self) -> Info:
        info: Info = dict(self.emulator.read_variables(self._info_names))
        info.update(self._scoring.progress_facts())
        return info


def _without_zeros_at_end(state: bytes) -> bytes:
    """Most of a save state's room is not used; ``bytes.rstrip`` takes ten times as long."""
    whole = len(state) // 8 * 8
    used = np.flatnonzero(np.frombuffer(state, dtype=np.uint64, count=whole // 8))
    if state[whole:].strip(b"\0"):
        return state
    return state[: 8 * (int(used[-1]) + 1)] if len(used) else b""


def _only_level(game_id: str, level: str | Sequence[str] | None) -> str:
    names = level if level is None or isinstance(level, str) else [*level]
    levels = resolve_levels(game_id, names)
    if len(levels) != 1:
        raise SettingsError(
            f"expected one level for one env, {level!r} names {len(levels)}; "
            "give several levels to make_vec_env or --levels, or let level_draw choose among them"
        )
    return levels[0]
