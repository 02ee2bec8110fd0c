"""One training run: options from YAML and the command line, data, module, trainer, checkpoints,
logs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.strategies import ModelParallelStrategy

from ncodec.errors import InputError
from ncodec.networks.blocks import use_bfloat16
from ncodec.networks.frame import FrameModel
from ncodec.networks.image import ImageModel
from ncodec.training import LAST
from ncodec.training.checkpoint import (
    WholeCheckpoints,
    check_resumable,
    load_picture_model,
    load_weights,
)
from ncodec.training.compressai_models import CompressAIConfig, CompressAIModel
from ncodec.training.cuda_graph import train_with_cuda_graph
from ncodec.training.data import PictureData, StreamData, patch_statistics
from ncodec.training.image import ImageTraining, ShardedImageTraining
from ncodec.training.options import RunOptions, TrainerOptions, VideoRunOptions
from ncodec.training.video import ClipData, VideoTraining

AVERAGE_EVERY = 10
"""steps between updates of the averaged weights by `ema_decay`"""


def prepare(
    data: Sequence[str | Path],
    *,
    options: RunOptions,
    exclude: Sequence[str | Path] = (),
    compressai: CompressAIConfig | None = None,
) -> tuple[ImageTraining, PictureData]:
    """Module and data of a run: an image model of ncodec's, or of CompressAI's, with random
    weights.

    Seeds all generators with `options.seed`. Raises InputError for data or options that cannot be
    used, BackendError where CompressAI is not installed.
    """
    _seed(options)
    model = CompressAIModel(compressai) if compressai else ImageModel(options.model)
    pictures = PictureData(data, options.crops, qp_count=model.config.qp_count, exclude=exclude)
    kind = ShardedImageTraining if is_sharded(options) else ImageTraining
    module = kind(model, options.optimizer, distortion=options.distortion, seed=options.seed)
    _tune(module, options)
    return module, pictures


def prepare_video(
    data: Sequence[str | Path],
    *,
    options: VideoRunOptions,
    intra: Path,
    start_from: Path | None = None,
) -> tuple[VideoTraining, ClipData]:
    """Module and data of a run of predicted frames.

    `intra` is exported image weights, which code first frames. The model starts from exported
    weights (`start_from`), or, without, its codec from those of `intra`, whose architecture has to
    be `options.model.codec`. Seeds all generators. Raises InputError for data or another
    architecture, ModelError for files that are no such weights.
    """
    _seed(options)
    pictures = load_picture_model(intra)
    model = FrameModel(options.model)
    if start_from is not None:
        load_weights(model, start_from)
    elif pictures.config == options.model.codec:
        model.codec.load_state_dict(pictures.state_dict())
    else:
        msg = (
            f"expected --model.codec as of {intra}, whose weights it would begin as, got another: "
            f"name --start-from"
        )
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
    """Whether a CUDA device is there and `options.accelerator` is not cpu."""
    return torch.cuda.is_available() and options.accelerator != "cpu"


def trunks_in_bfloat16(options: TrainerOptions) -> bool:
    """Whether the trunks of the networks run in bfloat16."""
    return options.precision == "bfloat16" or (options.precision == "auto" and on_cuda(options))


def make_trainer(
    options: TrainerOptions, *, out: Path, callbacks: Sequence[pl.Callback] = ()
) -> pl.Trainer:
    """The Lightning trainer of a run, with its logs in `out`; raises InputError for hardware that
    is not there."""
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
        plugins=[WholeCheckpoints()],
    )


def _strategy(options: TrainerOptions) -> str | ModelParallelStrategy:
    if is_sharded(options):
        shares = options.devices * options.nodes
        return ModelParallelStrategy(
            shares, tensor_parallel_size=1, save_distributed_checkpoint=False
        )
    return "ddp" if options.devices * options.nodes > 1 else "auto"


def _averaging(options: TrainerOptions) -> list[pl.Callback]:
    if is_sharded(options):  # Lightning's averages are of whole models
        return []
    # Kept on the host of an XLA device: on the device, every update would be another program to
    # compile.
    device = "cpu" if options.accelerator == "tpu" else None
    return [EMAWeightAveraging(device, decay=options.ema_decay, update_every_n_steps=AVERAGE_EVERY)]


def _loggers(out: Path) -> list[Logger]:
    csv = CSVLogger(out, name="csv")
    return [csv, TensorBoardLogger(out, name="tensorboard")] if find_spec("tensorboard") else [csv]


def train_image_with_cuda_graph(
    data: Sequence[str | Path],
    *,
    out: Path,
    options: RunOptions,
    start_from: Path | None = None,
    exclude: Sequence[str | Path] = (),
) -> Path:
    """Train an image model on one device with a CUDA graph for each step; returns `out`/last.ckpt.

    The checkpoint holds the averaged weights and cannot be resumed. `start_from` is exported
    weights, else the model starts from the pictures' principal components; without a GPU the steps
    run on the CPU. Raises InputError for several devices, an optimizer other than soap, a
    distortion other than mse, or data that cannot be used; ModelError; TrainingError.
    """
    if options.devices * options.nodes > 1 or options.optimizer.name != "soap":
        got = f"{options.devices * options.nodes} and {options.optimizer.name}"
        msg = f"expected one device and the optimizer soap for a run with CUDA graphs, got {got}"
        raise InputError(msg)
    if options.distortion != "mse":
        msg = (
            f"expected the distortion mse for a run with CUDA graphs, got {options.distortion}, "
            f"which no graph can hold"
        )
        raise InputError(msg)
    if options.accelerator not in ("auto", "cpu") and not on_cuda(options):
        msg = f"expected a CUDA GPU for a run with CUDA graphs on {options.accelerator}, got none"
        raise InputError(msg)
    module, pictures = prepare(data, options=replace(options, compile="no"), exclude=exclude)
    _begin(module, pictures, start_from)
    device = torch.device("cuda" if on_cuda(options) else "cpu")
    compiled = options.compile == "yes" or (options.compile == "auto" and on_cuda(options))
    average = options.ema_decay ** (1 / AVERAGE_EVERY)
    return train_with_cuda_graph(
        module, pictures, out=out, average=average, device=device, compiled=compiled
    )


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

    The model starts from the pictures' principal components or from exported weights
    (`start_from`); `resume` continues the run that wrote a checkpoint: weights, optimizer, budget
    and place in the data. `compressai` trains one of CompressAI's architectures instead. Raises
    InputError, ModelError, BackendError and TrainingError.
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
    """Train a model of predicted frames, and return the path of the last checkpoint, with the
    averaged weights.

    `data` holds clips, and photographs that are made to move; `intra` and `start_from` are weights
    as of `prepare_video`, and `resume` continues the run that wrote a checkpoint. Raises
    InputError, ModelError, BackendError and TrainingError.
    """
    _check_start(resume, start_from)
    if is_sharded(options):
        msg = (
            "expected the strategy ddp for a model of predicted frames, got fsdp: each device "
            "holds all of it"
        )
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


def _fit(
    trainer: pl.Trainer, module: ImageTraining, data: StreamData, *, out: Path, resume: Path | None
) -> Path:
    trainer.fit(module, data, ckpt_path=str(resume) if resume else None, weights_only=False)
    if isinstance(module.model, CompressAIModel):
        module.model.network.update(force=True)  # its coder's tables follow the weights
    last = out / LAST
    trainer.save_checkpoint(last)
    return last
