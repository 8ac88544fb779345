"""
What an agent can press: named sets of actions, and sets read from a settings file. No emulator.

An action is a combination of buttons, or a macro: combinations that are held for several timesteps
each. The sets of the Sonic games begin with the contest's seven actions, so that action k is the
same in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonic_sb3.errors import SettingsError, UnknownNameError, unknown_name
from sonic_sb3.games import BUTTONS, find_game

# What a settings file may hold: a name of ACTION_SETS, or a list of actions.
Actions = str | Sequence[Any] | None

MAX_ACTIONS = 256
MAX_HELD_TIMESTEPS = 1_000


@dataclass(frozen=True)
class Hold:
    """
    Buttons held together.

    :param buttons: Their names; none of them for letting go.
    :param n_timesteps: For how many timesteps.
    """

    buttons: tuple[str, ...]
    n_timesteps: int = 1


@dataclass(frozen=True)
class Action:
    """
    One choice of an agent.

    :param name: For tables and plots, such as ``RIGHT+B``.
    :param holds: One hold of one timestep, or the steps of a macro.
    """

    name: str
    holds: tuple[Hold, ...]

    @property
    def n_timesteps(self) -> int:
        """How long it lasts."""
        return sum(hold.n_timesteps for hold in self.holds)


ActionSet = tuple[Action, ...]


def press(*buttons: str) -> Action:
    """An action that holds these buttons for one timestep; ``NOTHING`` where there are none."""
    return Action("+".join(buttons) or "NOTHING", (Hold(buttons),))


def _spin_dash(n_presses: int) -> Action:
    """Crouch, press the jump button some times while crouched, let go."""
    charge = (Hold(("DOWN", "B")), Hold(("DOWN",))) * n_presses
    return Action(f"spin_dash_{n_presses}", (Hold(("DOWN",), 2), *charge, Hold((), 2)))


# "Gotta Learn Fast" has an eighth action, doing nothing; the contest's baselines have these seven.
_CONTEST_7 = (
    press("LEFT"),
    press("RIGHT"),
    press("LEFT", "DOWN"),
    press("RIGHT", "DOWN"),
    press("DOWN"),
    press("DOWN", "B"),
    press("B"),
)
_PAPER_8 = (*_CONTEST_7, press())
# Dharmaraja's, who won the contest: jumps that keep going.
_WINNER_10 = (*_PAPER_8, press("LEFT", "B"), press("RIGHT", "B"))
# Walls and slopes that need more speed than a standing start gives: about a second back and two
# forward, or a spin dash with one, three or six presses (six charge it fully).
_SPIN = (
    *_CONTEST_7,
    Action("run_up", (Hold(("LEFT",), 15), Hold(("RIGHT",), 30))),
    _spin_dash(1),
    _spin_dash(3),
    _spin_dash(6),
)


def _towards_each_side(name: str, *steps: tuple[str, ...]) -> tuple[Action, Action]:
    """A motion to the right and its mirror image, each step for one timestep."""
    mirror = {"LEFT": "RIGHT", "RIGHT": "LEFT"}
    left = tuple(tuple(mirror.get(button, button) for button in step) for step in steps)
    return (
        Action(f"{name}_right", tuple(Hold(step) for step in steps)),
        Action(f"{name}_left", tuple(Hold(step) for step in left)),
    )


# Street Fighter on a pad of six buttons: X Y Z punch, A B C kick, light to heavy.
_FIGHT = (
    press(),
    *(press(side) for side in ("LEFT", "RIGHT", "DOWN", "UP")),
    *(press(side, way) for side in ("LEFT", "RIGHT") for way in ("UP", "DOWN")),
    *(press(button) for button in "XYZABC"),
    *(press("DOWN", button) for button in ("Z", "C")),
    *(press("UP", side, button) for side in ("LEFT", "RIGHT") for button in ("Z", "C")),
    *_towards_each_side("fireball", ("DOWN",), ("DOWN", "RIGHT"), ("RIGHT", "Z")),
    *_towards_each_side("dragon_punch", ("RIGHT",), ("DOWN",), ("DOWN", "RIGHT", "Z")),
    *_towards_each_side("whirlwind_kick", ("DOWN",), ("DOWN", "LEFT"), ("LEFT", "C")),
)

ACTION_SETS: dict[str, ActionSet] = {
    "contest7": _CONTEST_7,
    "paper8": _PAPER_8,
    "winner10": _WINNER_10,
    "spin": _SPIN,
    "fight": _FIGHT,
}


def find_actions(actions: Actions, game_id: str) -> ActionSet:
    """
    Turn what a user writes into a set of actions.

    :param actions: A name of :data:`ACTION_SETS`; or a list whose items are lists of buttons, or
        ``{name: ..., steps: [{buttons: [...], timesteps: n}, ...]}`` for a macro; ``None`` for the
        game's own set.
    :param game_id: The game.
    :raises UnknownNameError: There is no such set or button.
    :raises SettingsError: A list that is no set of actions.
    """
    return parse_actions(find_game(game_id).default_actions if actions is None else actions)


def action_names(actions: Actions, game_id: str) -> list[str]:
    """
    What to call each action in tables and plots, in their order.

    :param actions: As for :func:`find_actions`.
    :param game_id: The game.
    """
    return [action.name for action in find_actions(actions, game_id)]


def parse_actions(actions: str | Sequence[Any]) -> ActionSet:
    """
    As :func:`find_actions`, of what was written.

    :raises SonicError: As there.
    """
    if isinstance(actions, str):
        if actions not in ACTION_SETS:
            raise unknown_name("set of actions", actions, ACTION_SETS)
        return ACTION_SETS[actions]
    if not isinstance(actions, list | tuple) or not 1 <= len(actions) <= MAX_ACTIONS:
        raise SettingsError(
            f"expected a name ({', '.join(ACTION_SETS)}) or a list of 1 to {MAX_ACTIONS} "
            f"combinations of buttons, got {actions!r:.100}"
        )
    parsed = tuple(_parse_action(action) for action in actions)
    names = [action.name for action in parsed]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"expected each action once, {name!r} stands twice")
    return parsed


def _parse_action(action: Any) -> Action:
    if isinstance(action, list | tuple):
        return press(*_parse_buttons(action))
    if not isinstance(action, Mapping):
        raise SettingsError(
            f"expected an action as a list of buttons or {{name, steps}}, got {action!r:.100}"
        )
    _check_keys(action, ("name", "steps"))
    name, steps = action["name"], action["steps"]
    if not isinstance(name, str) or not name or len(name) > 40:
        raise SettingsError(f"expected an action's name of 1 to 40 letters, got {name!r:.100}")
    if not isinstance(steps, list | tuple) or not steps:
        raise SettingsError(f"action {name!r}: expected at least one step, got {steps!r:.100}")
    parsed = Action(name, tuple(_parse_step(step, name) for step in steps))
    if parsed.n_timesteps > MAX_HELD_TIMESTEPS:
        raise SettingsError(
            f"action {name!r}: expected at most {MAX_HELD_TIMESTEPS} timesteps, "
            f"got {parsed.n_timesteps}"
        )
    return parsed


def _parse_step(step: Any, name: str) -> Hold:
    if not isinstance(step, Mapping):
        raise SettingsError(
            f"action {name!r}: expected steps as {{buttons, timesteps}}, got {step!r:.100}"
        )
    _check_keys({"timesteps": 1, **step}, ("buttons", "timesteps"))
    n_timesteps = step.get("timesteps", 1)
    if isinstance(n_timesteps, bool) or not isinstance(n_timesteps, int) or n_timesteps < 1:
        raise SettingsError(
            f"action {name!r}: expected a whole number of timesteps from 1 on, got {n_timesteps!r}"
        )
    return Hold(_parse_buttons(step["buttons"]), n_timesteps)


def _parse_buttons(buttons: Any) -> tuple[str, ...]:
    if not isinstance(buttons, list | tuple):
        raise SettingsError(f"expected a list of buttons, got {buttons!r:.100}")
    for button in buttons:
        if button not in BUTTONS:
            raise unknown_name("button", button, BUTTONS)
    if len(set(buttons)) < len(buttons):
        raise SettingsError(f"expected each button of a combination once, got {list(buttons)}")
    return tuple(buttons)


def _check_keys(mapping: Mapping[Any, Any], keys: tuple[str, ...]) -> None:
    for key in mapping:
        if key not in keys:
            raise unknown_name("key of an action", key, keys)
    for key in keys:
        if key not in mapping:
            raise UnknownNameError(f"an action lacks its {key!r}: expected {', '.join(keys)}")
