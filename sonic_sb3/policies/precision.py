"""In which numbers gradient steps are computed, and what `auto` stands for on this machine."""

from __future__ import annotations

import torch

from sonic_sb3.errors import unknown_name

DTYPES = {"float32": None, "bfloat16": torch.bfloat16}
AUTO = "auto"


def settled_precision(precision: str, device: str | torch.device) -> str:
    """
    The precision that a name stands for.

    ``auto`` is ``bfloat16`` where the device computes in it, else ``float32``: a processor that
    does not would convert every number there and back, several times slower.

    :param precision: ``auto``, ``float32`` or ``bfloat16``.
    :param device: Where the gradient steps run, as torch or SB3 (``auto``) name it.
    :raises UnknownNameError: There is no such precision.
    """
    if precision != AUTO:
        if precision not in DTYPES:
            raise unknown_name("precision", precision, (AUTO, *DTYPES))
        return precision
    return "bfloat16" if _computes_in_bfloat16(device) else "float32"


def _computes_in_bfloat16(device: str | torch.device) -> bool:
    name = str(device)
    if name.startswith("cuda") or (name == "auto" and torch.cuda.is_available()):
        # In hardware since compute capability 8 (Ampere); older cards emulate it.
        card = None if name == "auto" else torch.device(name)
        return torch.cuda.get_device_capability(card)[0] >= 8
    if name not in ("auto", "cpu"):
        return False
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)  # since torch 2.6
    capabilities: dict[str, object] = get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
