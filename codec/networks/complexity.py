"""Multiply–accumulates per pixel, counted in the convolutions of a run."""

from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from ncodec.grid import HYPER_CELL, PATCH
from ncodec.networks.config import ImageConfig
from ncodec.networks.frame import FrameModel, picture_codec
from ncodec.networks.image import ImageModel
from ncodec.networks.shrunk import ShrunkDecoder

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
    z_hat, residual = _symbols(picture.config)
    counter = FlopCounterMode(display=False)
    with counter:
        picture.table_index(z_hat, torch.zeros(1), residual)
        decode: Callable[..., object] = model.decode
        decode(z_hat, residual, *_predicted(model), torch.zeros(1))
    return _kmac(counter.get_total_flops())


@torch.no_grad()
def decoder_kmac(decoder: ShrunkDecoder) -> float:
    """Thousand multiply–accumulates a pixel of a decoder, from symbols to RGB, without the choice
    of tables."""
    counter = FlopCounterMode(display=False)
    with counter:
        decoder.decode(*_symbols(decoder.config), torch.zeros(1))
    return _kmac(counter.get_total_flops())


def _symbols(config: ImageConfig) -> tuple[torch.Tensor, torch.Tensor]:
    cells = SIDE // PATCH
    z_hat = torch.zeros(1, config.hyper, cells // HYPER_CELL, cells // HYPER_CELL)
    return z_hat, torch.zeros(1, config.latent, cells, cells)


def _predicted(model: ImageModel | FrameModel) -> list[torch.Tensor]:
    return [torch.zeros(1, 3, SIDE, SIDE)] if isinstance(model, FrameModel) else []
