"""CompressAI's image architectures as models that our loop trains: one rate, priced by their own
entropy models."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ncodec.errors import BackendError, InputError, ModelError
from ncodec.networks.image import Prediction

PREFIX = "compressai:"
LAMBDAS = (0.0018, 0.0035, 0.0067, 0.013, 0.025, 0.0483, 0.0932, 0.18)
"""λ of CompressAI's eight published qualities, of λ·255²·MSE + bpp"""


@dataclass(frozen=True)
class CompressAIConfig:
    """An architecture of CompressAI's zoo at one of its published qualities."""

    architecture: str
    quality: int
    qp_count: int = 1

    def lambda_of(self, qp: Tensor) -> Tensor:
        """The one Lagrangian of the model, for each of the (B,) qps."""
        return torch.full_like(qp, LAMBDAS[self.quality - 1])


def parse_compressai(name: str) -> CompressAIConfig:
    """`compressai:mbt2018-mean` or `compressai:mbt2018-mean:4` → config; raises InputError."""
    architecture, _, quality = name.removeprefix(PREFIX).partition(":")
    if not name.startswith(PREFIX) or (quality or "4") not in map(str, range(1, 9)):
        msg = (
            f"expected a model such as compressai:mbt2018-mean:4 with a quality of 1 to 8, got "
            f"{name}"
        )
        raise InputError(msg)
    return CompressAIConfig(architecture, int(quality or "4"))


class CompressAIModel(nn.Module):
    """A network of CompressAI that prices crops at its one rate, whatever the qp."""

    def __init__(self, config: CompressAIConfig) -> None:
        """Raises BackendError where CompressAI is not installed, InputError for an architecture it
        does not have."""
        super().__init__()
        try:
            from compressai.zoo import image_models
        except ImportError as error:
            msg = "this model needs CompressAI: pip install 'ncodec[compressai]'"
            raise BackendError(msg) from error
        if config.architecture not in image_models:
            msg = (
                f"expected an architecture among {', '.join(sorted(image_models))}, got "
                f"{config.architecture}"
            )
            raise InputError(msg)
        self.config = config
        try:
            self.network = image_models[config.architecture](
                config.quality, metric="mse", pretrained=False
            )
        except ValueError as error:  # some were published at six qualities
            msg = (
                f"CompressAI does not have {config.architecture} at quality {config.quality}: "
                f"{error}"
            )
            raise InputError(msg) from error

    def load_published(self, path: Path) -> None:
        """Take the weights that CompressAI published or its example script wrote; raises
        ModelError."""
        from compressai.zoo.pretrained import load_pretrained

        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(load_pretrained(content.get("state_dict", content)))
        except (
            OSError,
            RuntimeError,
            KeyError,
            AttributeError,
            EOFError,
            pickle.UnpicklingError,
        ) as error:
            msg = (
                f"{path}: expected weights of {self.config.architecture}: "
                f"{str(error).splitlines()[0]}"
            )
            raise ModelError(msg) from error

    def forward(self, pixels: Tensor, qp: Tensor) -> Prediction:
        """(B, 3, H, W) in 0…1 → what training sees; the penalty trains the quantiles that fix the
        coder's tables."""
        seen = self.network(pixels)
        bits = {
            name: -likelihood.log2().flatten(1).sum(1)
            for name, likelihood in seen["likelihoods"].items()
        }
        y_bits = bits.pop("y")
        z_bits = sum(bits.values(), torch.zeros_like(y_bits))
        return Prediction(seen["x_hat"], y_bits, z_bits, penalty=self.network.aux_loss())
