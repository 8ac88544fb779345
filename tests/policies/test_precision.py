"""Which precision `auto` stands for, and that a run keeps the one it began with."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sonic_sb3.errors import RunFolderError, SettingsError, UnknownNameError
from sonic_sb3.policies import SonicPolicy, precision
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.run_records import keep_precision


def make_policy(**kwargs: object) -> SonicPolicy:
    observations = spaces.Box(0, 255, (4, 36, 36), np.uint8)
    return SonicPolicy(observations, spaces.Discrete(7), lambda _: 1e-3, **kwargs)


@pytest.mark.parametrize(
    ("capability", "expected"),
    [("avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("avx2", "float32")],
)
def test_auto_follows_the_processor(
    capability: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True}, raising=False)
    assert make_policy(precision="auto").precision == expected


def test_auto_is_float32_on_a_torch_that_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert make_policy(precision="auto").precision == "float32"


def test_auto_is_float32_on_another_device() -> None:
    assert precision.settled_precision("auto", "mps") == "float32"


def test_without_the_fast_learner_auto_is_float32() -> None:
    assert make_policy(precision="auto", runs_fast=False).precision == "float32"


def test_a_policy_can_be_told_to_keep_a_precision() -> None:
    policy = make_policy(precision="auto")
    policy.use_precision("bfloat16")
    assert policy.precision == "bfloat16"
    policy.use_precision("float32")
    assert policy.precision == "float32"


def test_unknown_precision_names_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="bfloat16"):
        make_policy(precision="bfloat61")


def test_bfloat16_is_a_part_of_the_fast_learner() -> None:
    with pytest.raises(SettingsError, match="runs_fast"):
        make_policy(precision="bfloat16", runs_fast=False)


def test_a_run_keeps_the_precision_it_began_with(tmp_path: Path) -> None:
    model, folder = SimpleNamespace(policy=make_policy(precision="auto")), RunFolder(tmp_path, "G")
    for began_with in ("bfloat16", "float32"):
        keep_precision(model, folder, {"precision": began_with})
        assert model.policy.precision == began_with
    model.policy.use_precision("bfloat16")
    keep_precision(model, folder, {})
    assert model.policy.precision == "float32", "of a time when nothing else was the default"
    with pytest.raises(RunFolderError, match="expected a name, got 3"):
        keep_precision(model, folder, {"precision": 3})
    with pytest.raises(UnknownNameError, match="float8"):
        keep_precision(model, folder, {"precision": "float8"})
