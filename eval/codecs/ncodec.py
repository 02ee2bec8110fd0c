"""ncodec itself as a codec of the report."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

import ncodec
from ncodec.api.codecs import TUNES, open_codec
from ncodec.api.models import list_models
from ncodec.arrays import Pixels
from ncodec.eval.codecs.base import PictureCodec


def ncodec_version(*models: str) -> str:
    """Version of the package, of what runs its networks, and a hash of the runtime's code and these
    models' files."""
    entries = {entry["name"]: entry for entry in list_models()}
    digest = hashlib.sha256(
        "".join(value for name in models for value in entries[name]["sha256"].values()).encode()
    )
    for path in runtime_files():
        digest.update(path.read_bytes())
    return (
        f"ncodec {ncodec.__version__} (code and files {digest.hexdigest()[:8]}, onnxruntime "
        f"{version('onnxruntime')})"
    )


def runtime_files(folder: Path = Path(ncodec.__file__).parent) -> list[Path]:
    """Sorted Python files below `folder`, by default the package, without eval, training and
    weights.

    An encoder searches, so its code, and not its model alone, decides the bytes of a file.
    """
    beside = {"eval", "training", "weights"}
    return sorted(
        path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in beside
    )


@dataclass(frozen=True)
class NcodecCodec(PictureCodec):
    """This project's codec, through its public API, on one thread."""

    tune: str = "psnr"
    effort: int | None = None

    def version(self) -> str:
        """Versions of the package and of ONNX Runtime, and a hash of the code and the model."""
        return ncodec_version(open_codec(TUNES[self.tune]).model.name)

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""
        return ncodec.encode(pixels, quality=quality, tune=self.tune, effort=self.effort, threads=1)

    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB."""
        return np.asarray(ncodec.decode(data, threads=1))
