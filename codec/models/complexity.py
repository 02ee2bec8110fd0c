"""Multiply–accumulates per pixel, counted by running the networks and watching their convolutions."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from ncodec.bitstream import PATCH
from ncodec.entropy import HYPER_CELL
from ncodec.models.image import ImageModel

SIDE = 256


def _kmac(total_flops: int) -> float:
    return total_flops / 2 / SIDE**2 / 1000


@torch.no_grad()
def encode_kmac(model: ImageModel) -> float:
    """Thousand multiply–accumulates a pixel, from RGB to symbols."""
    counter = FlopCounterMode(display=False)
    with counter:
        model.encode(torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1))
    return _kmac(counter.get_total_flops())


@torch.no_grad()
def decode_kmac(model: ImageModel) -> float:
    """Thousand multiply–accumulates a pixel, from symbols to RGB, table choice included."""
    config, cells = model.config, SIDE // PATCH
    z_hat = torch.zeros(1, config.hyper, cells // HYPER_CELL, cells // HYPER_CELL)
    residual = torch.zeros(1, config.latent, cells, cells)
    counter = FlopCounterMode(display=False)
    with counter:
        model.table_index(z_hat, torch.zeros(1), residual)
        model.decode(z_hat, residual, torch.zeros(1))
    return _kmac(counter.get_total_flops())
