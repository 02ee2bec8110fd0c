"""The network that halves luma: FFmpeg's Lanczos filter and a small correction."""

import warnings
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.errors import ModelError
from ncodec.inference.graph_check import OPSET
from ncodec.training.checkpoint import read_checkpoint
from ncodec.training.downscaler.filters import lanczos_taps

WIDTH = 16
"""channels"""
GRAPH_FILE = "downscaler.onnx"
_MARGIN = 2
"""halved samples beyond each edge that the correction sees"""
_SEEN = 6
"""side of what a feature is made of, in samples of the source"""


class Downscaler(nn.Module):
    """Luma in 0…255, (N, 1, H, W) with even sides, → (N, 1, H/2, W/2), neither rounded nor clipped.

    Edges are repeated. Before training the result is exactly that of Lanczos; planes of one level
    keep their level always.
    """

    lanczos: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = lanczos_taps()
        self.register_buffer("lanczos", torch.outer(taps, taps)[None, None], persistent=False)
        self.see = nn.Conv2d(1, WIDTH, _SEEN, stride=2)
        self.deepen = nn.Conv2d(WIDTH + 1, WIDTH, 3)
        self.residual = nn.Conv2d(WIDTH, 1, 3)
        nn.init.zeros_(self.residual.weight)
        nn.init.zeros_(self.residual.bias)  # type: ignore[arg-type]

    def forward(self, luma: Tensor) -> Tensor:
        """Halve; see the class."""
        plain, correction = self.parts(luma)
        return plain + 16 * (correction - self.correct_flat(plain))

    def parts(self, luma: Tensor) -> tuple[Tensor, Tensor]:
        """Result of Lanczos, and the sixteenth of its correction, which for planes of one level is
        `correct_flat` of them."""
        reach = self.lanczos.shape[-1] // 2 - 1 + 2 * _MARGIN
        padded = F.pad(luma, (reach,) * 4, "replicate")
        wide = F.conv2d(padded, self.lanczos, stride=2)  # (N, 1, H/2 + 4, W/2 + 4)
        unseen = reach - _SEEN // 2 + 1 - 2 * _MARGIN
        features = self.see((padded[..., unseen:-unseen, unseen:-unseen] - 128) / 64)
        features = F.leaky_relu(torch.cat([features, (wide - 128) / 64], 1), 0.1)
        correction = self.residual(F.leaky_relu(self.deepen(features), 0.1))
        return wide[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN], correction

    def correct_flat(self, plain: Tensor) -> Tensor:
        """The sixteenth of the correction of planes of these levels, any shape (N, 1, h, w)."""
        levels = (plain - 128) / 64
        features = F.leaky_relu(torch.cat([_flat(self.see, levels), levels], 1), 0.1)
        return _flat(self.residual, F.leaky_relu(_flat(self.deepen, features), 0.1))

    def shrink(self, luma: Tensor) -> Tensor:
        """Halve by Lanczos alone, with shapes as of `forward`."""
        padded = F.pad(luma, (self.lanczos.shape[-1] // 2 - 1,) * 4, "replicate")
        return F.conv2d(padded, self.lanczos, stride=2)


def _flat(layer: nn.Conv2d, planes: Tensor) -> Tensor:
    """A layer for planes that are alike around each place."""
    return F.conv2d(planes, layer.weight.sum((2, 3), keepdim=True), layer.bias)


class _Graph(nn.Module):
    """Network for export: the correction of flat planes comes from a table, which is faster."""

    table: Tensor
    """of levels in quarters"""

    def __init__(self, model: Downscaler, strength: float) -> None:
        super().__init__()
        self.model, self.strength = model, strength
        levels = torch.arange(4 * 255 + 1) / 4
        table = model.correct_flat(levels[:, None, None, None]).flatten()
        self.register_buffer("table", table.detach())

    def forward(self, luma: Tensor) -> Tensor:
        plain, correction = self.model.parts(luma)
        flat = self.table[(4 * plain).clamp(0, 4 * 255).round().long()]
        return (plain + 16 * self.strength * (correction - flat)).clamp(0, 255)


def export_downscaler(model: Downscaler, path: Path, *, strength: float = 1.0) -> None:
    """Write an ONNX graph: `luma`, float32 (N, 1, H, W) in 0…255, → `small`, clipped to 0…255; the
    correction is multiplied by `strength`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Graph(model, strength).eval(),
            (torch.zeros(1, 1, 96, 144),),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["luma"],
            output_names=["small"],
            dynamic_axes={"luma": {0: "n", 2: "h", 3: "w"}, "small": {0: "n", 2: "p", 3: "q"}},
        )


def load_downscaler(path: Path) -> Downscaler:
    """The averaged weights of a checkpoint, or those of an exported graph; raises ModelError for
    anything else."""
    model = Downscaler()
    try:
        is_graph = path.suffix == Path(GRAPH_FILE).suffix
        state = _graph_weights(path) if is_graph else read_checkpoint(path)["average"]
        model.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        msg = f"{path}: expected a downscaler's checkpoint or graph, got something else: {error}"
        raise ModelError(msg) from error
    return model.eval()


def _graph_weights(path: Path) -> dict[str, Tensor]:
    try:
        stored = onnx.load(str(path)).graph.initializer
    except Exception as error:  # protobuf raises classes of its own
        msg = f"{path}: expected an ONNX graph, got something else: {error}"
        raise ModelError(msg) from error
    prefix = "model."
    return {
        tensor.name.removeprefix(prefix): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in stored
        if tensor.name.startswith(prefix)
    }
