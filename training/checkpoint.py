"""Checkpoints of training runs, and exported weights, as starting points."""

import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io.wrapper import _WrappingCheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from ncodec.errors import ModelError
from ncodec.media.streams import new_file
from ncodec.networks.config import ImageConfig
from ncodec.networks.frame import FrameConfig, FrameModel, frame_config
from ncodec.networks.image import ImageModel
from ncodec.training.compressai_models import CompressAIConfig, CompressAIModel

ARCHITECTURE = "architecture"
"""key of the architecture in a file of weights"""


class WholeCheckpoints(_WrappingCheckpointIO):
    """Lightning's plug-in that writes a checkpoint as the strategy does, but whole or not at all.

    Lightning's own copies the new file over the earlier one where the folder of temporary files is
    on another disk, and on TPUs writes into the earlier one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Write a checkpoint, and its folder where that is missing."""
        with new_file(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write what `torch.load` reads, whole or not at all: until it is complete, an earlier file of
    that name stays."""
    with new_file(path) as temporary:
        torch.save(checkpoint, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint of `ncodec train`; raises ModelError for anything else."""
    try:
        checkpoint: dict[str, Any] = torch.load(
            path, map_location="cpu", weights_only=True, mmap=True
        )
        dict(checkpoint["config"])
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        msg = f"{path}: expected a checkpoint of `ncodec train`, got something else: {error}"
        raise ModelError(msg) from error
    return checkpoint


def load_checkpoint(path: Path) -> tuple[ImageModel | FrameModel, dict[str, Any]]:
    """Model with the averaged weights of a training checkpoint, in evaluation mode, and facts of
    its run.

    Facts are steps, minutes, rounded to a tenth, and distortion where known. Raises ModelError for
    a file that is no checkpoint or is of CompressAI's architectures, RuntimeError for weights of
    other shapes than its configuration says.
    """
    checkpoint = read_checkpoint(path)
    config = checkpoint["config"]
    model: ImageModel | FrameModel
    try:
        model = (
            FrameModel(frame_config(config))
            if "codec" in config
            else ImageModel(ImageConfig(**config))
        )
    except TypeError as error:
        msg = f"{path}: expected a model of ncodec's own architecture, got {config}"
        raise ModelError(msg) from error
    state = {name.removeprefix("model."): value for name, value in checkpoint["state_dict"].items()}
    model.load_state_dict(state)
    facts = {"steps": checkpoint["global_step"], "minutes": round(checkpoint["spent_s"] / 60, 1)}
    if "distortion" in checkpoint:
        facts["distortion"] = checkpoint["distortion"]
    return model.eval(), facts


def check_resumable(path: Path, config: ImageConfig | FrameConfig | CompressAIConfig) -> None:
    """Raise ModelError, naming the difference, unless a checkpoint is of a run of this
    architecture."""
    checkpoint = read_checkpoint(path)
    if "optimizer_states" not in checkpoint:
        msg = (
            f"{path}: expected a run that can be resumed, got weights alone: export them, and name "
            f"--start-from"
        )
        raise ModelError(msg)
    found = checkpoint["config"]
    for name, expected in asdict(config).items():
        if found.get(name) != expected:
            msg = f"{path}: expected a model with {name} {expected}, got {found.get(name)}"
            raise ModelError(msg)


def save_weights(model: ImageModel | FrameModel, path: Path) -> None:
    """Write a model's weights in float16, and its architecture, as `image.safetensors`."""
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    # By Path, which gives the file the usual permissions; safetensors writes for its owner alone.
    path.write_bytes(save(state, metadata={ARCHITECTURE: json.dumps(asdict(model.config))}))


def load_picture_model(path: Path) -> ImageModel:
    """Exported weights of pictures (`image.safetensors`) → their model; raises ModelError for
    anything else."""
    try:
        with safe_open(path, "pt") as file:
            model = ImageModel(ImageConfig(**json.loads((file.metadata() or {})[ARCHITECTURE])))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        msg = f"{path}: expected exported weights of pictures, got something else: {error}"
        raise ModelError(msg) from error
    load_weights(model, path)
    return model


def load_weights(model: ImageModel | FrameModel | CompressAIModel, path: Path) -> None:
    """Give a model exported weights (`image.safetensors`), or one of CompressAI's a checkpoint of
    theirs.

    Raises ModelError when they are not of its architecture.
    """
    if isinstance(model, CompressAIModel):
        model.load_published(path)
        return
    try:
        model.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (OSError, SafetensorError) as error:
        msg = f"{path}: expected exported weights, got something else: {error}"
        raise ModelError(msg) from error
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        msg = f"{path}: expected weights of this architecture: {first[0].strip()}"
        raise ModelError(msg) from error
