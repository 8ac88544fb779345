"""The fast emulator path against the plain one, on Airstriker and on a program made to trip it."""

import gc
import gzip
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import stable_retro
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonic_sb3.envs import core_build, core_code, core_elf, core_native, core_proof, fast_core
from sonic_sb3.envs.core_elf import UnfitCoreError
from sonic_sb3.envs.core_proof import attach_proven, prove
from sonic_sb3.envs.fast_core import FastCore, shrink_grey, warn_once
from sonic_sb3.errors import EmulatorError

AIRSTRIKER = "Airstriker-Genesis-v0"
TORTURE = Path(__file__).with_name("fast_core_torture.c")
M68K_GCC = "m68k-linux-gnu-gcc"
M68K_FLAGS = (
    "-m68000",
    "-O2",
    "-ffreestanding",
    "-fno-builtin",
    "-nostdlib",
    "-static",
    "-fno-pic",
)
M68K_LAYOUT = """SECTIONS {
  .text 0 : { *(.vectors) . = 0x100; *(.header) . = 0x200; *(.text*) *(.rodata*) }
  .bss 0xFF8000 (NOLOAD) : { *(.data*) *(.bss*) }
}"""

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and core_elf.platform.machine() == "x86_64"),
    reason="the fast path is for Linux on x86-64",
)


class Console:
    """stable-retro's emulator with a game in it."""

    def __init__(self, rom: str) -> None:
        gc.collect()
        self.machine = stable_retro.RetroEmulator(rom)
        self.data = stable_retro.data.GameData()
        self.machine.configure_data(self.data)
        self.machine.step()

    def ram(self) -> bytes:
        """Through stable-retro's own memory view."""
        blocks = self.data.memory.blocks
        return b"".join(bytes(blocks[offset]) for offset in sorted(blocks))


@pytest.fixture
def console() -> Iterator[Console]:
    made = Console(stable_retro.data.get_romfile_path(AIRSTRIKER))
    state = stable_retro.data.get_file_path(AIRSTRIKER, "Level1.state")
    assert made.machine.set_state(gzip.decompress(Path(state).read_bytes()))
    yield made
    del made.machine, made.data
    gc.collect()


@pytest.fixture(autouse=True)
def _unwarned() -> None:
    warn_once.cache_clear()


def build_torture(folder: Path, *definitions: str) -> str:
    if shutil.which(M68K_GCC) is None:
        pytest.skip(f"{M68K_GCC} is not installed")
    layout, linked, rom = (folder / name for name in ("rom.ld", "linked", "torture.md"))
    layout.write_text(M68K_LAYOUT)
    command = [
        M68K_GCC,
        *M68K_FLAGS,
        "-Wl,--build-id=none",
        *definitions,
        "-T",
        layout,
        "-o",
        linked,
        TORTURE,
    ]
    subprocess.run(command, check=True)
    flat = ["-O", "binary", "-j", ".text", "--pad-to", "0x20000"]
    subprocess.run(["m68k-linux-gnu-objcopy", *flat, linked, rom], check=True)
    return str(rom)


@pytest.fixture
def torture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Console]:
    made = Console(build_torture(tmp_path, *request.param))
    for _ in range(120):
        made.machine.step()
    yield made
    del made.machine, made.data
    gc.collect()


def play(console: Console, fast: FastCore | None, n_decisions: int) -> list[tuple[bytes, bytes]]:
    """Random buttons, now and then a reset or a jump to an earlier state of this very game."""
    machine = console.machine
    start = machine.get_state()
    kept = [start]
    rng = np.random.default_rng(7)
    seen = []
    for _ in range(n_decisions):
        event = rng.random()
        if event < 0.01:
            machine.set_state(start)
        elif event < 0.03:
            machine.set_state(kept[int(rng.integers(len(kept)))])
        elif event < 0.05:
            kept.append(machine.get_state())
        machine.set_button_mask(rng.integers(0, 2, 12, dtype=np.uint8), 0)
        for frame in range(4):
            if fast is None:
                machine.step()
            elif frame < 3:
                fast.run_hidden_frame()
            else:
                fast.run_seen_frame()
        seen.append((console.ram(), machine.get_screen().tobytes()))
    machine.set_state(start)
    return seen


class TestSameMachine:
    def test_thousands_of_decisions_with_resets_and_jumps(self, console: Console) -> None:
        plain = play(console, None, 1500)
        fast = play(console, FastCore(console.machine), 1500)
        assert len(set(plain)) > 1000
        assert [i for i, (a, b) in enumerate(zip(plain, fast, strict=True)) if a != b] == []

    @pytest.mark.parametrize("torture", [(), ("-DNARROW",)], indirect=True)
    def test_program_that_uses_all_it_can(self, torture: Console) -> None:
        result = prove(torture.machine, FastCore(torture.machine), 600)
        assert result.difference is None
        assert len({pair[0] for pair in play(torture, None, 50)}) == 50

    @pytest.mark.parametrize("torture", [("-DLOOKS_AT_SPRITE_FLAGS",)], indirect=True)
    def test_game_that_looks_at_what_only_drawing_computes_is_refused(
        self, torture: Console, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert attach_proven(torture.machine) is None
        assert "proof" in caplog.text

    @pytest.mark.parametrize("is_fast_first", [True, False])
    def test_state_of_one_path_goes_on_in_the_other(
        self, console: Console, is_fast_first: bool
    ) -> None:
        machine, fast = console.machine, FastCore(console.machine)
        start = machine.get_state()

        def run(frames: list[Any]) -> tuple[bytes, bytes]:
            machine.set_state(start)
            for i, frame in enumerate(frames):
                machine.set_button_mask(np.full(12, i % 7 == 0, dtype=np.uint8), 0)
                if i == 40:
                    machine.set_state(machine.get_state())
                frame()
            return console.ram(), machine.get_screen().tobytes()

        halves = [[fast.run_seen_frame] * 40, [machine.step] * 40]
        first, second = halves if is_fast_first else halves[::-1]
        assert run(first + second) == run([machine.step] * 80)

    def test_sound_of_plain_frames_is_untouched(self, console: Console) -> None:
        machine = console.machine
        start = machine.get_state()

        def listen() -> bytes:
            machine.set_state(start)
            sound = []
            for _ in range(60):
                machine.step()
                sound.append(machine.get_audio().tobytes())
            return b"".join(sound)

        before = listen()
        fast = FastCore(machine)
        for _ in range(100):
            fast.run_hidden_frame()
        assert listen() == before
        assert len(set(before)) > 1

    def test_sound_comes_back_without_a_state(self, console: Console) -> None:
        fast = FastCore(console.machine)
        for _ in range(50):
            fast.run_seen_frame()
        sizes = set()
        for _ in range(50):
            console.machine.step()
            sizes.add(len(console.machine.get_audio()))
        assert sizes <= set(range(734, 739))

    def test_hidden_frame_leaves_the_picture(self, console: Console) -> None:
        fast = FastCore(console.machine)
        for _ in range(30):
            fast.run_seen_frame()
        picture, ram = console.machine.get_screen(), console.ram()
        fast.run_hidden_frame()
        np.testing.assert_array_equal(console.machine.get_screen(), picture)
        assert console.ram() != ram


class TestPicture:
    def test_grey_and_shrunk_as_opencv_does(self, console: Console) -> None:
        fast = FastCore(console.machine)
        for _ in range(50):
            fast.run_seen_frame()
            grey = cv2.cvtColor(console.machine.get_screen(), cv2.COLOR_RGB2GRAY)
            np.testing.assert_array_equal(fast.grey_screen(), grey)
            for height, width in ((96, 96), (84, 84), (64, 64), (64, 96), (224, 320)):
                out = np.empty((height, width), dtype=np.uint8)
                fast.read_grey(out)
                expected = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
                np.testing.assert_array_equal(out, expected)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        seed=st.integers(0, 2**32 - 1), tile=st.sampled_from([1, 2, 5, 8]), levels=st.integers(1, 9)
    )
    def test_any_picture_is_shrunk_as_opencv_does(self, seed: int, tile: int, levels: int) -> None:
        rng = np.random.default_rng(seed)
        palette = rng.integers(0, 256, 2**levels, dtype=np.uint8)
        cells = palette[rng.integers(0, len(palette), (-(-224 // tile), -(-320 // tile)))]
        grey = np.ascontiguousarray(np.kron(cells, np.ones((tile, tile), np.uint8))[:224, :320])
        for size in (96, 64):
            out = np.empty((size, size), dtype=np.uint8)
            shrink_grey(grey, out, routines())
            expected = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)
            np.testing.assert_array_equal(out, expected)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cell=arrays(np.uint8, (7, 10)))
    def test_sums_halfway_between_two_greys(self, cell: np.ndarray) -> None:
        grey = np.tile(cell, (32, 32))
        out = np.empty((96, 96), dtype=np.uint8)
        shrink_grey(grey, out, routines())
        expected = cv2.resize(grey, (96, 96), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(out, expected)

    def test_other_layouts_take_opencvs_way(self) -> None:
        rng = np.random.default_rng(0)
        grey = rng.integers(0, 256, (448, 320), dtype=np.uint8)[::2]
        batch = np.zeros((96, 96, 4), dtype=np.uint8)
        shrink_grey(grey, batch[:, :, 2], routines())
        expected = cv2.resize(grey, (96, 96), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(batch[:, :, 2], expected)
        assert not batch[:, :, [0, 1, 3]].any()

    def test_refuses_other_types(self) -> None:
        with pytest.raises(ValueError, match="uint8"):
            shrink_grey(np.zeros((224, 320), np.float32), np.zeros((96, 96), np.uint8), routines())


def routines() -> core_native.NativeRoutines:
    """The routines without a core: those that need none can be called."""
    return core_native.NativeRoutines(core_native.CoreAddresses(*[0] * 22))


class TestProof:
    def test_leaves_everything_as_found(self, console: Console) -> None:
        machine = console.machine
        for _ in range(20):
            machine.step()
        start, ram, picture = machine.get_state(), console.ram(), machine.get_screen()
        fast = FastCore(machine)
        assert prove(machine, fast).is_same
        assert console.ram() == ram
        np.testing.assert_array_equal(machine.get_screen(), picture)
        machine.step()
        after = console.ram()
        machine.set_state(start)
        machine.step()
        assert console.ram() == after

    @pytest.mark.parametrize(
        ("routine", "fault", "complaint"),
        [
            ("work_ram", 0x8000, "RAM after"),
            ("zram", 5, "zram after"),
            ("vram", 1, "vram after"),
            ("fm_cycles_start", 0, "sound clock"),
        ],
    )
    def test_finds_one_wrong_byte(
        self, console: Console, routine: str, fault: int, complaint: str
    ) -> None:
        fast = FastCore(console.machine)
        memory, run = fast.core.memory(routine), fast.native.run_frame
        n_frames = 0

        def run_wrongly(is_hidden: int) -> None:
            nonlocal n_frames
            n_frames += 1
            run(is_hidden)
            if n_frames == 36:
                memory[fault] ^= 1

        fast._run_frame = run_wrongly
        assert complaint in (prove(console.machine, fast).difference or "")

    def test_finds_a_wrong_picture(self, console: Console) -> None:
        fast = FastCore(console.machine)
        fast.run_seen_frame = fast.run_hidden_frame  # type: ignore[method-assign]
        assert "picture" in (prove(console.machine, fast).difference or "")

    @pytest.mark.parametrize("size", [64, 96])
    def test_finds_a_wrong_observation(self, console: Console, size: int) -> None:
        fast = FastCore(console.machine)
        fast.native.shrink[size, size] = lambda grey, out: None
        assert "observation" in (prove(console.machine, fast).difference or "")

    def test_finds_wrong_timers_even_if_the_game_has_none(self, console: Console) -> None:
        fast = FastCore(console.machine)
        chip = bytes(fast.core.memory("ym2612"))
        fast.native.run_timers = lambda samples, n_samples: None
        assert prove(console.machine, fast).difference == "the YM2612's timers differ"
        assert bytes(fast.core.memory("ym2612")) == chip

    def test_failure_means_plain_path_and_one_warning(
        self,
        console: Console,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        result = core_proof.ProofResult("the RAM after 7 frames differs", 240, 0.1)
        monkeypatch.setattr(core_proof, "prove", lambda emulator, fast: result)
        assert attach_proven(console.machine) is None
        assert attach_proven(console.machine) is None
        assert len(caplog.records) == 1
        assert "the RAM after 7 frames differs" in caplog.text

    @pytest.mark.parametrize("difference", [None, "the RAM after 7 frames differs"])
    def test_verdict_of_another_process_is_taken(
        self, console: Console, monkeypatch: pytest.MonkeyPatch, difference: str | None
    ) -> None:
        monkeypatch.setattr(core_proof, "prove", None)
        verdict = pickle.loads(pickle.dumps(core_proof.ProofResult(difference, 240, 0.1)))
        assert (attach_proven(console.machine, verdict) is None) == (difference is not None)

    def test_success_says_nothing(self, console: Console, caplog: pytest.LogCaptureFixture) -> None:
        assert attach_proven(console.machine) is not None
        assert caplog.records == []


class TestUnfit:
    def check_plain(self, console: Console, caplog: pytest.LogCaptureFixture, reason: str) -> None:
        assert attach_proven(console.machine) is None
        assert FastCore.attach(console.machine) is None
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert reason in caplog.text

    def test_other_system(
        self,
        console: Console,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(core_elf.sys, "platform", "darwin")
        self.check_plain(console, caplog, "this is darwin on x86_64")

    def test_other_processor(
        self,
        console: Console,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(core_elf.platform, "machine", lambda: "aarch64")
        self.check_plain(console, caplog, "linux on aarch64")

    def test_other_build_of_the_core(
        self,
        console: Console,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(fast_core, "VARIABLES", (*fast_core.VARIABLES, "no_such_thing"))
        self.check_plain(console, caplog, "no symbols no_such_thing")

    def test_core_file_replaced_while_in_use(
        self,
        console: Console,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
    ) -> None:
        path, base = core_elf._find_mapping()
        image = bytearray(path.read_bytes())
        at = core_elf.read_symbols(bytes(image), ["system_frame_gen"])["system_frame_gen"].address
        image[at] ^= 1
        other = tmp_path / path.name
        other.write_bytes(image)
        monkeypatch.setattr(core_elf, "_find_mapping", lambda: (other, base))
        self.check_plain(console, caplog, "has changed since it was loaded")

    def test_system_that_forbids_new_code(
        self,
        console: Console,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        class Refusing:
            def __init__(self, *args: object, **kwargs: object) -> None:
                self.mprotect = type("mprotect", (), {"__call__": lambda *_: -1})()

        monkeypatch.setattr(core_native.ctypes, "CDLL", Refusing)
        self.check_plain(console, caplog, "forbids code outside of files")

    def test_no_genesis_core_is_loaded(self) -> None:
        gc.collect()
        with pytest.raises(UnfitCoreError, match="found 0"):
            core_elf.find_loaded_core(["retro_run"])


class TestLifetime:
    def test_ends_with_its_emulator(self, console: Console) -> None:
        fast = FastCore(console.machine)
        console.machine = None
        gc.collect()
        for use in (fast.run_hidden_frame, fast.run_seen_frame, fast.grey_screen):
            with pytest.raises(EmulatorError, match="attach to the new one"):
                use()
        console.machine = stable_retro.RetroEmulator(stable_retro.data.get_romfile_path(AIRSTRIKER))
        FastCore(console.machine).run_seen_frame()

    def test_does_not_keep_the_emulator(self, console: Console) -> None:
        fast = FastCore(console.machine)
        console.machine = None
        gc.collect()
        console.machine = stable_retro.RetroEmulator(stable_retro.data.get_romfile_path(AIRSTRIKER))
        with pytest.raises(EmulatorError):
            fast.run_seen_frame()


def test_machine_code_is_that_of_its_source() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    if f"gcc {core_build.compiler_version()}" != core_code.COMPILER:
        pytest.skip(f"needs {core_code.COMPILER}")
    assert core_build.build() == core_build.TARGET.read_text()
