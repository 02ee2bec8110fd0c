"""Options of training runs: YAML files and command lines → dataclasses."""

import math
import re
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from jsonargparse import ArgumentParser

from ncodec.errors import InputError
from ncodec.networks.config import ImageConfig
from ncodec.networks.frame import FrameConfig
from ncodec.training.clips import ClipOptions
from ncodec.training.image import Distortion
from ncodec.training.losses import LEAST_STRUCTURE
from ncodec.training.optim.options import OptimizerOptions
from ncodec.training.pictures import CropOptions

DEFAULTS = Path(__file__).parent / "configs" / "image.yaml"
VIDEO_DEFAULTS = Path(__file__).parent / "configs" / "video.yaml"
Options = TypeVar("Options", bound="TrainerOptions")
_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, math.inf),
    "crops.seed": (0, math.inf),
    "clips.seed": (0, math.inf),
    "clips.frames": (2, 64),
    "clips.synthetic": (0, 1),
    "crops.downscale": (1, 16),
    "crops.gain": (0, 1),
    "ema_decay": (0, 1),
    "optimizer.warmup": (0, 0.9),
    "optimizer.minutes": (0.01, math.inf),
    "model.knots": (2, 64),
    "model.qp_count": (2, 256),
    "model.lambda_min": (1e-6, 1e3),
    "model.lambda_max": (1e-6, 1e3),
}
"""least and most of options whose type does not say it"""


@dataclass(frozen=True)
class TrainerOptions:
    """Options of runs of every model."""

    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """precision of the trunks; auto takes bfloat16 on a GPU"""
    compile: Literal["auto", "yes", "no"] = "auto"
    """torch.compile; auto compiles on a GPU, where it pays within a minute"""
    accelerator: str = "auto"
    devices: int = 1
    """GPUs, or processes on the CPU; on cores that others share, processes of one thread beat
    threads by far"""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """strategy of several devices: ddp replicates the model; fsdp splits it, and averages no
    weights"""
    nodes: int = 1
    """machines, each started with one command and Lightning's environment variables"""
    ema_decay: float = 0.9
    """decay of the averaged weights, applied every 10 steps; the falling rate averages too, so a
    short memory is enough"""
    validate_every: int = 500
    """steps between validations"""
    checkpoint_minutes: float = 1.0
    """minutes between checkpoints: what a killed run loses at most"""
    seed: int = 1


@dataclass(frozen=True)
class RunOptions(TrainerOptions):
    """Options of a run of an image model but its data and its folder."""

    model: ImageConfig = field(default_factory=ImageConfig)
    crops: CropOptions = field(default_factory=CropOptions)
    distortion: Distortion = "mse"
    """distortion: mean square error, or the lack of MS-SSIM"""


@dataclass(frozen=True)
class VideoRunOptions(TrainerOptions):
    """Options of a run of a model of predicted frames but its data and its folder."""

    model: FrameConfig = field(default_factory=FrameConfig)
    clips: ClipOptions = field(default_factory=ClipOptions)


def read_options(arguments: Sequence[str], *, config: Path | None = None) -> RunOptions:
    """Options of an image model: defaults of image.yaml, then the YAML `config`, then `arguments`.

    Arguments are such as `--optimizer.minutes 60`. Raises InputError for an unknown option, a value
    of another type or out of range, and a crop that is no multiple of 64 or too small for MS-SSIM.
    """
    return _read_options(RunOptions, DEFAULTS, arguments, config)


def read_video_options(arguments: Sequence[str], *, config: Path | None = None) -> VideoRunOptions:
    """Options of a model of predicted frames: video.yaml, then the YAML `config`, then `arguments`.

    Raises InputError for an unknown option, a value of another type or out of range, and a crop
    that is no multiple of 64.
    """
    return _read_options(VideoRunOptions, VIDEO_DEFAULTS, arguments, config)


def _read_options(
    kind: type[Options], defaults: Path, arguments: Sequence[str], config: Path | None
) -> Options:
    parser = ArgumentParser(exit_on_error=False, default_config_files=[str(defaults)])
    parser.add_class_arguments(kind)
    parser.add_argument("--config", action="config")
    extra = ["--config", str(config)] if config else []
    try:
        parsed = parser.instantiate(parser.parse_args([*extra, *arguments]))
    except ArgumentError as error:
        raise InputError(_explain(str(error), list(parser.get_defaults().keys()))) from error
    options = kind(**{option.name: parsed[option.name] for option in fields(kind)})
    _check(options)
    return options


def _explain(message: str, known: list[str]) -> str:
    """The parser's message, with the nearest option to an unknown one."""
    found = re.search(
        r"unrecognized arguments: --([\w.]+)|(?:Group '(\w+)' .*)?[Oo]ption '([\w.]+)'", message
    )
    if not found:
        return " ".join(message.split())
    name = ".".join(part for part in found.groups() if part)
    nearest = get_close_matches(name, known, n=1, cutoff=0)
    return f"unknown training option {name}; the nearest one is {nearest[0]}"


def _check(options: TrainerOptions) -> None:
    for name, value in _flatten(options):
        least, most = _RANGES.get(name, (1 if isinstance(value, int) else 0.0, math.inf))
        if isinstance(value, int | float) and not (least <= value <= most and math.isfinite(value)):
            limit = f" and at most {most:g}" if most < math.inf else ""
            msg = f"expected {name} of at least {least:g}{limit}, got {value}"
            raise InputError(msg)
        if (
            name == "crops.crop"
            and getattr(options, "distortion", "mse") == "ms-ssim"
            and value < LEAST_STRUCTURE
        ):
            msg = f"expected crops.crop of at least {LEAST_STRUCTURE} for MS-SSIM, got {value}"
            raise InputError(msg)
        if name.endswith(".crop") and value % 64:
            msg = f"expected {name} to be a multiple of 64, got {value}"
            raise InputError(msg)


def _flatten(options: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every option with its dotted name."""
    for name, value in vars(options).items():
        if is_dataclass(value):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
