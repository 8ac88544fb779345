"""A built ROM on the real emulator, through a temporary integration folder."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .integration import VARIABLES, data_json
from .native import BUTTONS
from .rom import sha1

INTEGRATION = (
    Path(__file__).resolve().parents[2] / "sonic_sb3" / "integrations" / "PangolinDash-Genesis-v0"
)
GAME = "PangolinBench-Genesis-v0"
BUTTON_ORDER = ["B", "A", "MODE", "START", "UP", "DOWN", "LEFT", "RIGHT", "C", "Y", "X", "Z"]
BOOT_VBLANKS = 10


@cache
def _mask(pad_byte: int) -> npt.NDArray[np.uint8]:
    held = [bool(pad_byte & BUTTONS.get(name, 0)) for name in BUTTON_ORDER]
    return np.array(held, np.uint8)


class Emulator:
    """One emulator with the ROM just powered on; only one may live in a process."""

    def __init__(self, rom: bytes) -> None:
        import stable_retro as retro

        self._folder = Path(tempfile.mkdtemp(prefix="pangolin_"))
        game = self._folder / GAME
        game.mkdir()
        (game / "rom.md").write_bytes(rom)
        (game / "rom.sha").write_text(sha1(rom) + "\n")
        (game / "data.json").write_text(data_json())
        (game / "scenario.json").write_text("{}\n")
        (game / "metadata.json").write_text("{}\n")
        retro.data.Integrations.add_custom_path(str(self._folder))
        self.env: Any = retro.make(
            GAME,
            state=retro.State.NONE,
            inttype=retro.data.Integrations.CUSTOM_ONLY,
            use_restricted_actions=retro.Actions.ALL,
            render_mode="rgb_array",
        )
        self.env.reset()
        self._fast_core: Any = None

    def hurry(self) -> None:
        """Leaves pictures and sound out where the package's fast core can be used; needs a state
        in which buttons do something."""
        from sonic_sb3.envs.core_proof import attach_proven

        self._fast_core = attach_proven(self.env.em)

    @property
    def screen(self) -> npt.NDArray[np.uint8]:
        """The last picture, (224, 320, 3)."""
        return np.asarray(self.env.em.get_screen())

    def run_frame(self, pad_byte: int) -> None:
        """One frame with these BUTTONS bits."""
        self.env.em.set_button_mask(_mask(pad_byte), 0)
        if self._fast_core is None:
            self.env.em.step()
        else:
            self._fast_core.run_hidden_frame()

    def read(self, name: str) -> int:
        """A variable of data.json."""
        return int(self.env.data.memory.extract(*VARIABLES[name]))

    def step(self, pad_byte: int) -> dict[str, int]:
        """One frame; returns all variables of data.json."""
        self.run_frame(pad_byte)
        return {name: self.read(name) for name in VARIABLES}

    def start_level(self, zone: int, act: int, acts: list[tuple[int, int]]) -> dict[str, int]:
        """From power-on through the title's level select until the act's first frame."""
        order = sorted(acts)
        while self.step(0)["vblanks"] < BOOT_VBLANKS:
            pass  # the title is being loaded
        for _ in range(order.index((zone, act))):
            self.run_frame(BUTTONS["RIGHT"])
            self.run_frame(0)
        info = self.step(BUTTONS["START"])
        for _ in range(30):
            if info["mode"] == 1 and info["frame"] >= 1:
                return info
            info = self.step(0)
        raise RuntimeError(f"the act did not start: {info}")

    def ram(self) -> bytes:
        return bytes(self.env.get_ram())

    def save(self) -> bytes:
        return bytes(self.env.em.get_state())

    def load(self, state: bytes) -> None:
        self.env.em.set_state(state)
        self.env.data.update_ram()

    def close(self) -> None:
        self.env.close()
        shutil.rmtree(self._folder, ignore_errors=True)
