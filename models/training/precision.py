"""How precisely training multiplies."""

from contextlib import AbstractContextManager, nullcontext

import torch

_FAST_ON = ("avx512_bf16", "amx_bf16")
"""Abilities of a processor that multiplies bfloat16 about twice as fast as float32."""


def mixed(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 products of float32 weights where that is faster: on a GPU and on newer processors."""
    able = torch.cpu.get_capabilities()
    fit = device.type == "cuda" or any(able.get(name) for name in _FAST_ON)
    return torch.autocast(device.type, torch.bfloat16) if fit else nullcontext()
