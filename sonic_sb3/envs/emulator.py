"""
One emulated console for one env: frames, RAM, screen and save states, nothing of rewards.

libretro cores keep their machine in global variables, so a process can have one emulator only.
Here several :class:`Emulator` objects share it: whoever is asked next has its save state put back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.core_elf import UnfitCoreError
from sonic_sb3.envs.core_proof import ProofResult, attach_proven, reads_variables_as
from sonic_sb3.envs.fast_core import FastCore, WatchedVariables, warn_once
from sonic_sb3.errors import EmulatorError
from sonic_sb3.games import BUTTONS
from sonic_sb3.rom_files import find_rom, load_variables
from sonic_sb3.save_states import read_state

# What the fast core proved on which ROM, in this process or (as a worker is told) in one beside it.
proofs: dict[str, ProofResult] = {}

Pad = npt.NDArray[np.uint8]  # (12,) of 0 and 1, in the order of `sonic_sb3.games.BUTTONS`
NO_BUTTONS = np.zeros(len(BUTTONS), dtype=np.uint8)


@dataclass
class _Console:
    """The process's one emulator, the ROM it runs and the :class:`Emulator` it now stands for."""

    machine: Any = None
    # The machine's memory is read through this object, which must live as long as the machine.
    game_data: Any = None
    # Runs frames cheaper than the machine's own `step`; None where it cannot be shown to be exact.
    fast_core: FastCore | None = None
    # Whether the fast core reads RAM variables as stable-retro does.
    reads_variables: bool = False
    state_size: int = 0
    rom: str | None = None
    holder: Emulator | None = None

    def insert(self, rom: str, level_state: bytes) -> None:
        """
        Start the machine with a ROM; the machine before it, if any, is given up.

        :param rom: Path of the ROM.
        :param level_state: A moment in the game, in which the fast core has to prove itself.
        """
        import stable_retro

        self.eject()
        try:
            self.machine = stable_retro.RetroEmulator(rom)
        except RuntimeError as error:
            raise EmulatorError(
                "expected a free emulator, but this process already runs one that stable-retro "
                f"made ({error}): close that env, or let make_vec_env put ours in worker processes"
            ) from error
        self.game_data = stable_retro.data.GameData()
        self.machine.configure_data(self.game_data)
        # The core maps its RAM and sets its picture size while it runs its first frame.
        self.machine.step()
        self.machine.set_state(level_state)
        self.fast_core = attach_proven(
            self.machine,
            proofs.get(rom),
            on_verdict=lambda proof: proofs.__setitem__(rom, proof),
        )
        self.reads_variables = self.fast_core is not None and reads_variables_as(
            self.game_data.memory.extract, self.fast_core
        )
        self.state_size = len(self.machine.get_state())
        self.rom = rom

    def eject(self) -> None:
        """Give the machine up, so that another ROM or another library can have the core."""
        self.fast_core = self.machine = self.game_data = self.rom = self.holder = None


_console = _Console()


@dataclass
class _Parked:
    """What is kept of an emulator while another one uses the core."""

    state: bytes
    screen: npt.NDArray[np.uint8] | None


class Emulator:
    """
    A console with one game, as if it had the core for itself.

    :param game_id: stable-retro's id of the game.
    :param level: The save state to start from.
    :param use_fast_core: Leave out what nobody sees or hears, where that is exact.
    :param keeps_screen: Keep the picture also while another one uses the core.
    :raises RomError: The ROM is missing or not the expected one.
    :raises EmulatorError: The save state cannot be loaded, or the core is in use by other code.
    """

    def __init__(
        self, game_id: str, level: str, use_fast_core: bool = True, keeps_screen: bool = True
    ) -> None:
        self.game_id = game_id
        self._keeps_screen = keeps_screen
        self._use_fast_core = use_fast_core
        # Frames since the last one that was drawn, so that the last of them can be drawn after all.
        self._undrawn: list[Pad] = []
        self._state_before_undrawn = b""
        # The frames that were last run together, and the state before them.
        self._together: tuple[bytes, Sequence[Pad]] | None = None
        self._watched: dict[tuple[str, ...], WatchedVariables | None] = {}
        self._rom = str(find_rom(game_id))
        self._variables = load_variables(game_id)
        self._parked: _Parked | None = None
        self._is_closed = False
        self.load_level(level)

    def load_level(self, level: str) -> None:
        """Choose the save state that :meth:`reset` goes back to."""
        self._level_state = read_state(self.game_id, level)
        self.level = level

    def reset(self) -> None:
        """Go back to the level's start and run one frame without buttons, as stable-retro does."""
        machine = self._machine(restore=False)
        if not machine.set_state(self._level_state):
            raise EmulatorError(
                f"the emulator refused the save state of {self.game_id} {self.level}: "
                "expected one made by this core with this ROM"
            )
        self._undrawn.clear()
        self.run_frame(NO_BUTTONS)

    def run_frame(self, buttons: npt.NDArray[np.uint8], is_seen: bool = True) -> None:
        """
        Emulate 1/60 s.

        :param buttons: (12,) of 0 and 1, in the order of :data:`sonic_sb3.games.BUTTONS`.
        :param is_seen: Whether anybody will look at the screen of this frame.
        """
        machine = self._machine()
        fast_core = _console.fast_core if self._use_fast_core else None
        if fast_core is None or is_seen:
            self._undrawn.clear()
        else:
            if not self._undrawn:
                self._state_before_undrawn = machine.get_state()
            self._undrawn.append(buttons)
        machine.set_button_mask(buttons, 0)
        if fast_core is None:
            machine.step()
        elif is_seen:
            fast_core.run_seen_frame()
        else:
            fast_core.run_hidden_frame()

    def run_frames(
        self, pads: Sequence[Pad], names: tuple[str, ...], is_last_seen: bool = True
    ) -> Iterable[dict[str, int]]:
        """
        Emulate some frames, and tell the RAM variables after each.

        Where it can be done they are run at once, for what is done between two frames finds the
        processor's caches full of the console. So whoever wants the last of them undone, because
        the episode has ended before, calls :meth:`keep_frames` after listening.

        :param pads: The buttons of each frame.
        :param names: Which variables.
        :param is_last_seen: Whether anybody will look at the screen of the last frame.
        :returns: The variables after the first frame, after the second and so on.
        """
        machine = self._machine()
        fast_core = _console.fast_core if self._use_fast_core else None
        watched = self._watch(names) if fast_core is not None else None
        self._together = None
        if fast_core is None or watched is None:
            return self._run_one_by_one(pads, names, is_last_seen)
        begins_undrawn = not is_last_seen and not self._undrawn
        state = machine.get_state() if len(pads) > 1 or begins_undrawn else b""
        rows: list[list[int]] = []
        n_left = len(pads)
        for _, held in groupby(pads, key=id):
            same = list(held)
            n_left -= len(same)
            machine.set_button_mask(same[0], 0)
            fast_core.run_frames(len(same), is_last_seen and n_left == 0, watched)
            rows += watched.rows(len(same))
        self._together = state, pads
        if is_last_seen:
            self._undrawn.clear()
        else:
            if begins_undrawn:
                self._state_before_undrawn = state
            self._undrawn.extend(pads)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def keep_frames(self, n_frames: int) -> None:
        """
        Go back to the moment after one of the frames of the last :meth:`run_frames`.

        :param n_frames: How many of them stay, at least one; as many as were listened to.
        """
        if self._together is None:
            return  # run one by one, those that nobody listened to were not run
        state, pads = self._together
        if n_frames == len(pads):
            return
        self.load_state(state)
        for index, pad in enumerate(pads[:n_frames], start=1):
            self.run_frame(pad, is_seen=index == n_frames)

    def _run_one_by_one(
        self, pads: Sequence[Pad], names: tuple[str, ...], is_last_seen: bool
    ) -> Iterator[dict[str, int]]:
        for index, pad in enumerate(pads, start=1):
            self.run_frame(pad, is_last_seen and index == len(pads))
            yield self.read_variables(names)

    def _watch(self, names: tuple[str, ...]) -> WatchedVariables | None:
        if not _console.reads_variables:
            return None
        if names not in self._watched:
            wanted = [(self._variables[name].address, self._variables[name].type) for name in names]
            try:
                self._watched[names] = WatchedVariables(wanted)
            except UnfitCoreError as error:
                warn_once(f"{self.game_id}: frames are run one by one, for there is {error}")
                self._watched[names] = None
        return self._watched[names]

    @property
    def variable_names(self) -> tuple[str, ...]:
        """The variables that the game's data.json knows."""
        return tuple(self._variables)

    def read_variables(self, names: Sequence[str] | None = None) -> dict[str, int]:
        """
        RAM variables of the game's data.json, as they are after the last frame.

        :param names: Which; ``None`` for all. Each costs its share of a microsecond.
        """
        self._machine()
        extract = _console.game_data.memory.extract
        variables = self._variables
        return {
            name: extract(variables[name].address, variables[name].type)
            for name in (variables if names is None else names)
        }

    def read_ram(self) -> bytes:
        """A copy of the console's work RAM."""
        self._machine()
        blocks = _console.game_data.memory.blocks
        return b"".join(bytes(blocks[offset]) for offset in sorted(blocks))

    def screen(self) -> npt.NDArray[np.uint8]:
        """The picture of the last frame, (height, width, 3) RGB 0..255."""
        if self._parked is not None:
            if self._parked.screen is None:
                raise EmulatorError("this emulator was told not to keep its screen (keeps_screen)")
            return self._parked.screen
        self._draw_last_frame()
        screen: npt.NDArray[np.uint8] = self._machine().get_screen()
        return screen

    def read_grey(self, out: npt.NDArray[np.uint8]) -> None:
        """
        The same in grey and shrunk by area, as OpenCV does both.

        :param out: (height, width) uint8, where it goes.
        """
        if self._parked is None and self._use_fast_core and _console.fast_core is not None:
            self._draw_last_frame()
            _console.fast_core.read_grey(out)
        else:
            grey = cv2.cvtColor(self.screen(), cv2.COLOR_RGB2GRAY)
            out[:] = cv2.resize(grey, out.shape[::-1], interpolation=cv2.INTER_AREA)

    def save_state(self) -> bytes:
        """The whole machine, to be given to :meth:`load_state`."""
        if self._parked is not None:
            return self._parked.state
        self._draw_last_frame()
        state: bytes = self._machine().get_state()
        return state

    def load_state(self, state: bytes) -> None:
        """
        Put the machine where :meth:`save_state` found it. The screen is not part of it.

        :param state: Zeros at its end may be missing.
        :raises EmulatorError: The core refuses the state.
        """
        if not self._machine(restore=False).set_state(state.ljust(_console.state_size, b"\0")):
            raise EmulatorError("the emulator refused a saved state: expected one of this core")
        self._undrawn.clear()

    def _draw_last_frame(self) -> None:
        """Run the frames again that were not drawn, the last of them with its picture."""
        if self._undrawn:
            *hidden, seen = self._undrawn
            self.load_state(self._state_before_undrawn)
            for buttons in hidden:
                self.run_frame(buttons, is_seen=False)
            self.run_frame(seen, is_seen=True)

    def close(self) -> None:
        """Give the core up, if this one holds it."""
        if _console.holder is self:
            _console.eject()
        self._parked = None
        self._is_closed = True

    def _machine(self, restore: bool = True) -> Any:
        """The core, standing for this console. :param restore: Put the parked state back first."""
        if _console.holder is not self:
            self._take_console(restore)
        return _console.machine

    def _take_console(self, restore: bool) -> None:
        if self._is_closed:
            raise EmulatorError("this env is closed: make a new one")
        if _console.holder is not None:
            _console.holder._park()
        if _console.rom != self._rom:
            _console.insert(self._rom, self._level_state)
        _console.holder = self
        if self._parked is not None:
            if restore:
                _console.machine.set_state(self._parked.state)
            self._parked = None

    def _park(self) -> None:
        self._parked = self._copy_machine()

    def _copy_machine(self) -> _Parked:
        """What there is to keep of the core, which stands for this console."""
        self._draw_last_frame()
        screen = _console.machine.get_screen() if self._keeps_screen else None
        return _Parked(_console.machine.get_state(), screen)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles go on from this moment, whoever has the core by then."""
        parked = self._copy_machine() if _console.holder is self else self._parked
        return {**vars(self), "_parked": parked, "_watched": {}, "_together": None}
