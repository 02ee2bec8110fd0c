"""One training run: options from YAML and the command line, data, module, trainer, checkpoints, logs."""

import math
import re
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.strategies import ModelParallelStrategy

from ncodec.errors import InputError
from ncodec.networks.blocks import use_bfloat16
from ncodec.networks.frame import FrameConfig, FrameModel
from ncodec.networks.image import ImageConfig, ImageModel
from ncodec.training.captured import train_captured
from ncodec.training.checkpoint import check_resumable, load_picture_model, load_weights
from ncodec.training.clips import ClipOptions
from ncodec.training.compressai import CompressAIConfig, CompressAIModel
from ncodec.training.data import PictureData, StreamData, patch_statistics
from ncodec.training.image import Distortion, ImageTraining, OptimizerOptions, ShardedImageTraining
from ncodec.training.losses import LEAST_STRUCTURE
from ncodec.training.pictures import CropOptions
from ncodec.training.video import ClipData, VideoTraining

DEFAULTS = Path(__file__).parent / "configs" / "image.yaml"
VIDEO_DEFAULTS = Path(__file__).parent / "configs" / "video.yaml"
LAST = "last.ckpt"
AVERAGE_EVERY = 10
"""steps between updates of the averaged weights by `ema_decay`"""


@dataclass(frozen=True)
class TrainerOptions:
    """What runs of every model have in common."""

    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """of the trunks; auto takes bfloat16 on a GPU"""
    compile: Literal["auto", "yes", "no"] = "auto"
    """torch.compile; auto compiles on a GPU, where it pays within a minute"""
    accelerator: str = "auto"
    devices: int = 1
    """GPUs, or processes on the CPU; on cores that others share, processes of one thread beat threads by far"""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """of several devices: ddp gives each the whole model; fsdp gives each its share of it, and averages no weights"""
    nodes: int = 1
    """machines; each is started with the same command and Lightning's environment variables"""
    ema_decay: float = 0.9
    """of the averaged weights, applied every 10 steps; the falling rate averages too, so a short memory is enough"""
    validate_every: int = 500
    """steps between validations"""
    checkpoint_minutes: float = 1.0
    """minutes between checkpoints: what a killed run loses at most"""
    seed: int = 1


@dataclass(frozen=True)
class RunOptions(TrainerOptions):
    """Everything about a run of an image model but its data and its folder."""

    model: ImageConfig = field(default_factory=ImageConfig)
    crops: CropOptions = field(default_factory=CropOptions)
    distortion: Distortion = "mse"
    """what is weighed against bits: mean square errors, or what MS-SSIM lacks"""


@dataclass(frozen=True)
class VideoRunOptions(TrainerOptions):
    """Everything about a run of a model of predicted frames but its data and its folder."""

    model: FrameConfig = field(default_factory=FrameConfig)
    clips: ClipOptions = field(default_factory=ClipOptions)


Options = TypeVar("Options", bound=TrainerOptions)


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


def read_options(arguments: Sequence[str], *, config: Path | None = None) -> RunOptions:
    """Defaults, then `config`, then `--group.name value` arguments; raises InputError for what is not an option."""
    return _read_options(RunOptions, DEFAULTS, arguments, config)


def read_video_options(arguments: Sequence[str], *, config: Path | None = None) -> VideoRunOptions:
    """The same for a model of predicted frames."""
    return _read_options(VideoRunOptions, VIDEO_DEFAULTS, arguments, config)


def _read_options(kind: type[Options], defaults: Path, arguments: Sequence[str], config: Path | None) -> Options:
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
    """What the parser says, and the nearest real option to one that does not exist."""
    found = re.search(r"unrecognized arguments: --([\w.]+)|(?:Group '(\w+)' .*)?[Oo]ption '([\w.]+)'", message)
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
        if name == "crops.crop" and getattr(options, "distortion", "mse") == "ms-ssim" and value < LEAST_STRUCTURE:
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


def prepare(
    data: Sequence[str | Path],
    *,
    options: RunOptions,
    exclude: Sequence[str | Path] = (),
    compressai: CompressAIConfig | None = None,
) -> tuple[ImageTraining, PictureData]:
    """The module and the data of a run, of our architecture or one of CompressAI's; the weights are still random."""
    _seed(options)
    model = CompressAIModel(compressai) if compressai else ImageModel(options.model)
    pictures = PictureData(data, options.crops, qp_count=model.config.qp_count, exclude=exclude)
    kind = ShardedImageTraining if is_sharded(options) else ImageTraining
    module = kind(model, options.optimizer, distortion=options.distortion, seed=options.seed)
    _tune(module, options)
    return module, pictures


def prepare_video(
    data: Sequence[str | Path], *, options: VideoRunOptions, intra: Path, start_from: Path | None = None
) -> tuple[VideoTraining, ClipData]:
    """The module and the data of a run of predicted frames.

    `intra` is exported image weights, which code first frames; the model of predicted frames begins as them, where it
    is of their architecture, or as the exported weights of `start_from`. Raises InputError and ModelError.
    """
    _seed(options)
    pictures = load_picture_model(intra)
    model = FrameModel(options.model)
    if start_from is not None:
        load_weights(model, start_from)
    elif pictures.config == options.model.codec:
        model.codec.load_state_dict(pictures.state_dict())
    else:
        msg = f"expected --model.codec as of {intra}, whose weights it would begin as, got another: name --start-from"
        raise InputError(msg)
    together = options.clips.together
    module = VideoTraining(model, pictures, options.optimizer, together=together, seed=options.seed)
    clips = ClipData(data, options.clips, qp_count=options.model.qp_count)
    _tune(module, options)
    return module, clips


def _seed(options: TrainerOptions) -> None:
    pl.seed_everything(options.seed)
    torch.set_flush_denormal(True)


def _tune(module: ImageTraining, options: TrainerOptions) -> None:
    """Precision and compilation."""
    use_bfloat16(module, trunks_in_bfloat16(options))
    if on_cuda(options):
        torch.set_float32_matmul_precision("high")
    if options.compile == "yes" or (options.compile == "auto" and on_cuda(options)):
        # The optimizer of DDP's buckets cannot split autograd functions of one's own.
        torch._dynamo.config.optimize_ddp = False
        module.model.compile()


def is_sharded(options: TrainerOptions) -> bool:
    """Whether several devices share one copy of the model between them."""
    return options.strategy == "fsdp" and options.devices * options.nodes > 1


def on_cuda(options: TrainerOptions) -> bool:
    """Whether the run is on a CUDA device."""
    return torch.cuda.is_available() and options.accelerator != "cpu"


def trunks_in_bfloat16(options: TrainerOptions) -> bool:
    """Whether the trunks of the networks run in bfloat16."""
    return options.precision == "bfloat16" or (options.precision == "auto" and on_cuda(options))


def make_trainer(options: TrainerOptions, *, out: Path, callbacks: Sequence[pl.Callback] = ()) -> pl.Trainer:
    """The Lightning trainer of a run, with its logs in `out`; raises InputError for hardware that is not there."""
    try:
        return _trainer(options, out, callbacks)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise InputError(" ".join(str(error).split())) from error


def _trainer(options: TrainerOptions, out: Path, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    return pl.Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=_strategy(options),
        max_steps=options.optimizer.steps,
        val_check_interval=options.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=50,
        callbacks=[*_averaging(options), TQDMProgressBar(refresh_rate=20), *callbacks],
        default_root_dir=out,
        logger=_loggers(out),
    )


def _strategy(options: TrainerOptions) -> str | ModelParallelStrategy:
    if is_sharded(options):
        shares = options.devices * options.nodes
        return ModelParallelStrategy(shares, tensor_parallel_size=1, save_distributed_checkpoint=False)
    return "ddp" if options.devices * options.nodes > 1 else "auto"


def _averaging(options: TrainerOptions) -> list[pl.Callback]:
    if is_sharded(options):  # Lightning's averages are of whole models
        return []
    # Kept on the host of an XLA device: on the device, every update would be another program to compile.
    device = "cpu" if options.accelerator == "tpu" else None
    return [EMAWeightAveraging(device, decay=options.ema_decay, update_every_n_steps=AVERAGE_EVERY)]


def _loggers(out: Path) -> list[Logger]:
    csv = CSVLogger(out, name="csv")
    return [csv, TensorBoardLogger(out, name="tensorboard")] if find_spec("tensorboard") else [csv]


def train_captured_image(
    data: Sequence[str | Path],
    *,
    out: Path,
    options: RunOptions,
    start_from: Path | None = None,
    exclude: Sequence[str | Path] = (),
) -> Path:
    """The same as `train_image` on one device, as of `train_captured`; a run cannot be resumed.

    Raises InputError for more devices and other optimizers than SOAP.
    """
    if options.devices * options.nodes > 1 or options.optimizer.name != "soap":
        got = f"{options.devices * options.nodes} and {options.optimizer.name}"
        msg = f"expected one device and the optimizer soap for a captured run, got {got}"
        raise InputError(msg)
    if options.distortion != "mse":
        msg = f"expected the distortion mse for a captured run, got {options.distortion}, which no graph can hold"
        raise InputError(msg)
    if options.accelerator not in ("auto", "cpu") and not on_cuda(options):
        msg = f"expected a CUDA GPU for a captured run on {options.accelerator}, got none"
        raise InputError(msg)
    module, pictures = prepare(data, options=replace(options, compile="no"), exclude=exclude)
    _begin(module, pictures, start_from)
    device = torch.device("cuda" if on_cuda(options) else "cpu")
    compiled = options.compile == "yes" or (options.compile == "auto" and on_cuda(options))
    average = options.ema_decay ** (1 / AVERAGE_EVERY)
    return train_captured(module, pictures, out=out, average=average, device=device, compiled=compiled)


def train_image(
    data: Sequence[str | Path],
    *,
    out: Path,
    options: RunOptions,
    resume: Path | None = None,
    start_from: Path | None = None,
    exclude: Sequence[str | Path] = (),
    compressai: CompressAIConfig | None = None,
) -> Path:
    """Train, and return the path of the last checkpoint, whose weights are the averaged ones.

    The model starts from the pictures' principal components or from exported weights (`start_from`); `resume` continues
    the run that wrote a checkpoint: weights, optimizer, budget and place in the data. `compressai` trains one of
    CompressAI's architectures instead. Raises InputError, ModelError, BackendError and TrainingError.
    """
    _check_start(resume, start_from)
    if resume is not None:
        check_resumable(resume, compressai or options.model)
    trainer = _checkpointing_trainer(options, out)
    module, pictures = prepare(data, options=options, exclude=exclude, compressai=compressai)
    if resume is None:
        _begin(module, pictures, start_from)
    return _fit(trainer, module, pictures, out=out, resume=resume)


def train_video(
    data: Sequence[str | Path],
    *,
    out: Path,
    options: VideoRunOptions,
    intra: Path,
    start_from: Path | None = None,
    resume: Path | None = None,
) -> Path:
    """Train a model of predicted frames, and return the path of the last checkpoint, with the averaged weights.

    `data` holds clips, and photographs that are made to move; `intra` and `start_from` are weights as of
    `prepare_video`, and `resume` continues the run that wrote a checkpoint. Raises InputError, ModelError, BackendError
    and TrainingError.
    """
    _check_start(resume, start_from)
    if is_sharded(options):
        msg = "expected the strategy ddp for a model of predicted frames, got fsdp: each device holds all of it"
        raise InputError(msg)
    if resume is not None:
        check_resumable(resume, options.model)
    trainer = _checkpointing_trainer(options, out)
    module, clips = prepare_video(data, options=options, intra=intra, start_from=start_from)
    return _fit(trainer, module, clips, out=out, resume=resume)


def _begin(module: ImageTraining, pictures: PictureData, start_from: Path | None) -> None:
    """Start from exported weights, or from the pictures' principal components."""
    if start_from is not None:
        load_weights(module.model, start_from)
    elif isinstance(module.model, ImageModel):
        module.model.start_from(patch_statistics(pictures.pictures, module.model.config))


def _check_start(resume: Path | None, start_from: Path | None) -> None:
    if resume is not None and start_from is not None:
        msg = "a run either resumes or starts from weights, not both"
        raise InputError(msg)


def _checkpointing_trainer(options: TrainerOptions, out: Path) -> pl.Trainer:
    checkpoints = ModelCheckpoint(
        out,
        filename="last",
        train_time_interval=timedelta(minutes=options.checkpoint_minutes),
        save_top_k=1,
        enable_version_counter=False,
    )
    return make_trainer(options, out=out, callbacks=[checkpoints])


def _fit(trainer: pl.Trainer, module: ImageTraining, data: StreamData, *, out: Path, resume: Path | None) -> Path:
    trainer.fit(module, data, ckpt_path=str(resume) if resume else None, weights_only=False)
    if isinstance(module.model, CompressAIModel):
        module.model.network.update(force=True)  # its coder's tables follow the weights
    last = out / LAST
    trainer.save_checkpoint(last)
    return last
