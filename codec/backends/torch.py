"""PyTorch, on the CPU or a GPU, in float32 or bfloat16: for those who have it."""

import numpy as np
import torch
from safetensors.torch import load_file

from ncodec.backends import Pixels
from ncodec.entropy import Symbols
from ncodec.errors import BackendError
from ncodec.model import Model
from ncodec.models.blocks import use_bfloat16
from ncodec.models.graphs import DecoderGraph, EncoderGraph
from ncodec.models.image import ImageConfig, ImageModel

PRECISIONS = ("float32", "bfloat16")


class TorchBackend:
    """The networks as they were trained, from the same weights as the exported graphs."""

    def __init__(
        self, model: Model, *, threads: int | None = None, precision: str = "float32", device: str | None = None
    ) -> None:
        if precision not in PRECISIONS:
            msg = f"expected a precision among {', '.join(PRECISIONS)}, got {precision!r}"
            raise BackendError(msg)
        self.threads = threads
        # TF32 keeps 10 bits of mantissa: too few for pixels within one level.
        torch.backends.cudnn.allow_tf32 = False
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = ImageModel(ImageConfig(**model.architecture))
        weights = load_file(model.path("image.safetensors"))
        network.load_state_dict({name: value.float() for name, value in weights.items()})
        network = network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        use_bfloat16(network, precision == "bfloat16")
        # With this one in bfloat16 too, a pixel in fifty million is two levels off.
        network.synthesis.render.in_bfloat16 = False
        self.encoder = EncoderGraph(network)
        self.decoder = DecoderGraph(network)

    def _qp(self, qp: int) -> torch.Tensor:
        if self.threads is not None:  # a setting of the process, which another backend may have changed
            torch.set_num_threads(self.threads)
        return torch.tensor([float(qp)], device=self.device)

    @torch.inference_mode()
    def analyze(self, pixels: Pixels, *, qp: int) -> Symbols:
        """(H, W, 3) with H and W multiples of 16 → symbols."""
        z_hat, residual = self.encoder(torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device), self._qp(qp))
        return Symbols(z_hat.cpu().numpy(), residual.cpu().numpy())

    @torch.inference_mode()
    def synthesize(self, symbols: Symbols, *, qp: int) -> Pixels:
        """Symbols of a latent of h × w → (16·h, 16·w, 3)."""
        z_hat = torch.from_numpy(np.ascontiguousarray(symbols.z_hat)).to(self.device)
        residual = torch.from_numpy(np.ascontiguousarray(symbols.residual)).to(self.device)
        pixels: Pixels = self.decoder(z_hat, residual, self._qp(qp)).cpu().numpy()
        return pixels
