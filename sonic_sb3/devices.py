"""Where networks are computed: whether torch can do it here, and what it is called."""

from __future__ import annotations

import torch
from stable_baselines3.common.utils import get_device

from sonic_sb3.errors import SettingsError


def check_device(device: str) -> None:
    """
    Accept a device that torch can use here.

    :param device: As torch names it, or ``auto``: a GPU where torch finds one, else the processor.
    :raises SettingsError: It cannot, as where torch has no kernels for an old card.
    """
    try:
        # Else as it was named: SB3 takes the processor for a GPU that is missing.
        torch.zeros(1, device=get_device(device) if device == "auto" else device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(
            f"device {device!r}: expected 'auto', 'cpu' or a device that torch can use here "
            f"({reason})"
        ) from error


def describe_device(device: str | torch.device) -> str:
    """
    What a device is: ``cpu``, or as ``cuda (NVIDIA H200)``.

    :param device: As torch names it, or ``auto``.
    """
    chosen = get_device(device)
    if chosen.type != "cuda":
        return str(chosen)
    return f"{chosen} ({torch.cuda.get_device_name(chosen)})"
