"""PyTorch, on the CPU or a GPU, in float32 or bfloat16: for those who have it."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ncodec.arrays import BoolArray, FloatArray, Pixels, Samples
from ncodec.entropy.latents import Symbols
from ncodec.errors import BackendError, ModelError
from ncodec.inference.decoders import weights_of
from ncodec.inference.model import FRAME, WEIGHTS_FILE, Model
from ncodec.inference.protocol import InitialSymbols, RdGradient, exact_cells
from ncodec.networks.blocks import use_bfloat16
from ncodec.networks.config import ImageConfig
from ncodec.networks.decoder import Decoding
from ncodec.networks.frame import FrameModel, frame_config, picture_codec
from ncodec.networks.graphs import (
    DecoderGraph,
    EncoderGraph,
    FrameDecoderGraph,
    FrameEncoderGraph,
    RdGradientGraph,
)
from ncodec.networks.image import ImageModel
from ncodec.networks.shrunk import ShrunkDecoder, decoder_from
from ncodec.quality import FULL

PRECISIONS = ("float32", "bfloat16")
_PROCESS = os.getpid()


def _usable(name: str) -> torch.device:
    """A device that holds tensors here; raises BackendError for another."""
    try:
        return torch.zeros((), device=name).device
    except (AssertionError, RuntimeError) as error:  # PyTorch asserts that it was built for CUDA
        msg = f"expected a device that PyTorch has here, such as cpu, got {name}"
        raise BackendError(msg) from error


def load_network(model: Model) -> FrameModel | ImageModel:
    """The networks of a model with their weights; raises ModelError where these do not fit each
    other."""
    try:
        network = _network(model)
        weights = load_file(model.path(WEIGHTS_FILE))
        network.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        first = str(error).splitlines()[0]
        msg = f"expected weights of its architecture in model {model.name}, got others: {first}"
        raise ModelError(msg) from error
    return network


def load_decoder(model: Model, decoder: str, *, config: ImageConfig) -> ShrunkDecoder:
    """A decoder beside the own one of a model of `config`, in evaluation mode; raises ModelError
    where its weights are not of a decoder."""
    try:
        return decoder_from(load_file(model.path(weights_of(decoder))), config).eval()
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        msg = f"expected weights of decoder {decoder} in model {model.name}, got others: {error}"
        raise ModelError(msg) from error


def _network(model: Model) -> FrameModel | ImageModel:
    if model.kind == FRAME:
        return FrameModel(frame_config(model.architecture))
    return ImageModel(ImageConfig(**model.architecture))


class TorchBackend:
    """The networks in PyTorch, from the weights of the exported graphs."""

    def __init__(
        self,
        model: Model,
        *,
        threads: int | None = None,
        precision: str = "float32",
        device: str | None = None,
        decoder: str = FULL,
    ) -> None:
        if precision not in PRECISIONS:
            msg = f"expected a precision among {', '.join(PRECISIONS)}, got {precision!r}"
            raise BackendError(msg)
        self.threads = threads
        self._set_threads()
        # TF32 keeps 10 bits of mantissa: too few for pixels within one level.
        torch.backends.cudnn.allow_tf32 = False
        self.device = _usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = load_network(model)
        network = network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        use_bfloat16(network, precision == "bfloat16")
        self.picture = picture_codec(network).requires_grad_(False)
        # With this one in bfloat16 too, a pixel in fifty million is two levels off.
        self.picture.synthesis.render.in_bfloat16 = False
        self.encoder = (
            FrameEncoderGraph(network) if isinstance(network, FrameModel) else EncoderGraph(network)
        )
        self.gradient_graph = RdGradientGraph(self.picture)
        self.decoder: FrameDecoderGraph | DecoderGraph
        if isinstance(network, FrameModel):
            self.decoder = FrameDecoderGraph(network)
        else:
            self.decoder = DecoderGraph(self._decoder(model, decoder, network))

    def _decoder(self, model: Model, decoder: str, network: ImageModel) -> Decoding:
        """The network of a decoder in evaluation mode, on the device."""
        if decoder == FULL:
            return network
        shrunk = load_decoder(model, decoder, config=network.config)
        return shrunk.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _set_threads(self) -> None:
        """Set the threads of the process, which another backend may have changed; to one in a
        forked process, which would wait for ever for threads that stayed in the process before."""
        threads = self.threads if os.getpid() == _PROCESS else 1
        if threads is not None:
            torch.set_num_threads(threads)

    def _qp(self, qp: int) -> torch.Tensor:
        return torch.tensor([float(qp)], device=self.device)

    def _to_device(self, *arrays: npt.NDArray[Any] | None) -> list[torch.Tensor]:
        self._set_threads()
        return [
            torch.tensor(np.ascontiguousarray(array), device=self.device)
            for array in arrays
            if array is not None
        ]

    @torch.inference_mode()
    def analyze(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> Symbols:
        """Symbols of (H, W, 3) uint8 pixels, H and W multiples of 16, at a QP of 0 to 63.

        Models of frames need the prediction, `predicted`, of the shape and type of `pixels`; others
        do not take it. Symbols are 0 in `exact` cells, (⌈H/64⌉, ⌈W/64⌉), None for no such cells.
        Errors of PyTorch, such as RuntimeError, pass through.
        """
        cells = exact_cells(pixels, exact)
        z_hat, residual, *_ = self.encoder(*self._to_device(pixels, predicted, cells), self._qp(qp))
        return Symbols(z_hat.cpu().numpy(), residual.cpu().numpy())

    @torch.inference_mode()
    def code(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> tuple[Symbols, Samples]:
        """Symbols of (H, W, 3) uint8 pixels, H and W multiples of 16, and the samples decoded from
        them.

        Samples are (H, W, 3) float32 in 8-bit levels, not rounded; for models of frames, the frame
        less `predicted`, which these need. `qp` is 0 to 63; symbols are 0 in `exact` cells,
        (⌈H/64⌉, ⌈W/64⌉), None for no such cells. Errors of PyTorch, such as RuntimeError, pass
        through.
        """
        made = self.encoder(
            *self._to_device(pixels, predicted, exact_cells(pixels, exact)), self._qp(qp)
        )
        z_hat, residual, *_, samples = (tensor.contiguous().cpu().numpy() for tensor in made)
        return Symbols(z_hat, residual), samples

    @torch.inference_mode()
    def quantize(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None
    ) -> tuple[InitialSymbols, Samples]:
        """Initial symbols of a picture, their latent y, and the samples decoded from them.

        `pixels` are (H, W, 3) uint8 with H and W multiples of 16, samples (H, W, 3) float32 in
        8-bit levels, not rounded. `qp` is 0 to 63; symbols are 0 in `exact` cells, (⌈H/64⌉,
        ⌈W/64⌉), None for no such cells. For models of pictures alone. Errors of PyTorch, such as
        RuntimeError, pass through.
        """
        made = self.encoder(*self._to_device(pixels, exact_cells(pixels, exact)), self._qp(qp))
        z_hat, residual, latent, samples = (tensor.contiguous().cpu().numpy() for tensor in made)
        return InitialSymbols(Symbols(z_hat, residual), latent), samples

    @torch.inference_mode()
    def rd_gradient(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
        requantize: bool,
    ) -> RdGradient:
        """Rate–distortion gradient of a picture at given symbols: derivatives of λ·D, in bits, by
        ŷ.

        `pixels` are (H, W, 3) uint8 with H and W multiples of 16, `initial` has symbols and y, `qp`
        is 0 to 63, `error_weights` a (48, 48) form of `ncodec.image.error_weights`. With
        `requantize`, the second half of r is first rounded anew from y, and 0 where `coded`, (C_y,
        h, w), is false. For models of pictures alone. Errors of PyTorch, such as RuntimeError, pass
        through.
        """
        symbols = initial.symbols
        inputs = self._to_device(
            pixels,
            initial.latent,
            symbols.z_hat,
            symbols.residual,
            coded,
            np.array([requantize]),
            error_weights,
        )
        made = self.gradient_graph(*inputs, self._qp(qp))
        return RdGradient(*(tensor.contiguous().cpu().numpy() for tensor in made))

    def cost(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
    ) -> FloatArray:
        """λ·D of a picture's errors at given symbols, (h, w) float32, in bits of each 16×16 pixels.

        Arguments are like those of `rd_gradient`; nothing is requantized, so `coded` has no effect.
        Errors of PyTorch, such as RuntimeError, pass through.
        """
        return self.rd_gradient(
            pixels, initial, coded, qp=qp, error_weights=error_weights, requantize=False
        ).cost

    @torch.inference_mode()
    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        """Decode symbols of a latent of h × w at a QP of 0 to 63 to samples, (16·h, 16·w, 3)
        float32.

        They are in 8-bit levels, neither rounded nor clipped; for models of frames, the frame less
        `predicted`, (16·h, 16·w, 3) uint8, which these need. Errors of PyTorch, such as
        RuntimeError, pass through.
        """
        inputs = self._to_device(symbols.z_hat, symbols.residual, predicted)
        samples: Samples = self.decoder(*inputs, self._qp(qp)).contiguous().cpu().numpy()
        return samples
