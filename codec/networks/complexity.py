"""Multiply–accumulates per pixel, counted in the convolutions of a run."""

from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from ncodec.grid import HYPER_CELL, PATCH
from ncodec.networks.frame import FrameModel, picture_codec
from ncodec.networks.image import ImageModel

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 256


def _kmac(total_flops: int) -> float:
    return total_flops / 2 / SIDE**2 / 1000


@torch.no_grad()
def encode_kmac(model: ImageModel | FrameModel) -> float:
    """Thousand multiply–accumulates a pixel, from RGB, and a prediction where there is one, to
    symbols."""
    counter = FlopCounterMode(display=False)
    with counter:
        encode: Callable[..., object] = model.encode
        encode(torch.zeros(1, 3, SIDE, SIDE), *_predicted(model), torch.zeros(1))
    return _kmac(counter.get_total_flops())


@torch.no_grad()
def decode_kmac(model: ImageModel | FrameModel) -> float:
    """Thousand multiply–accumulates a pixel, from symbols to RGB, table choice included."""
    picture = picture_codec(model)
    config, cells = picture.config, SIDE // PATCH
    z_hat = torch.zeros(1, config.hyper, cells // HYPER_CELL, cells // HYPER_CELL)
    residual = torch.zeros(1, config.latent, cells, cells)
    counter = FlopCounterMode(display=False)
    with counter:
        picture.table_index(z_hat, torch.zeros(1), residual)
        decode: Callable[..., object] = model.decode
        decode(z_hat, residual, *_predicted(model), torch.zeros(1))
    return _kmac(counter.get_total_flops())


def _predicted(model: ImageModel | FrameModel) -> list[torch.Tensor]:
    return [torch.zeros(1, 3, SIDE, SIDE)] if isinstance(model, FrameModel) else []
