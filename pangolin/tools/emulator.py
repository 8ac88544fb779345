"""A built ROM on the real emulator, through a temporary integration folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .integration import data_json
from .native import BUTTONS
from .rom import sha1

INTEGRATION = (
    Path(__file__).resolve().parents[2] / "sonic_sb3" / "integrations" / "PangolinDash-Genesis-v0"
)
GAME = "PangolinBench-Genesis-v0"
BUTTON_ORDER = "B A MODE START UP DOWN LEFT RIGHT C Y X Z".split()


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
        self.screen: npt.NDArray[np.uint8] = self.env.reset()[0]

    def step(self, pad_byte: int) -> dict[str, int]:
        """One frame with these BUTTONS bits; returns the variables of data.json."""
        held = [int(bool(pad_byte & BUTTONS.get(name, 0))) for name in BUTTON_ORDER]
        self.screen, _, _, _, info = self.env.step(held)
        return dict(info)

    def start_level(self, zone: int, act: int, acts: list[tuple[int, int]]) -> dict[str, int]:
        """From power-on through the title's level select until the act's first frame."""
        order = sorted(acts)
        while self.step(0)["vblanks"] < 10:
            pass  # the title is being loaded
        for _ in range(order.index((zone, act))):
            self.step(BUTTONS["RIGHT"])
            self.step(0)
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
