"""`ncodec train` and `ncodec export`; PyTorch is loaded only when one of them runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.errors import InputError, OutputError
from ncodec.optional import require_modules
from ncodec.training import LAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from ncodec.networks.frame import FrameModel
    from ncodec.networks.image import ImageModel
    from ncodec.training.export.calibrate import Examples
    from ncodec.training.options import Options, RunOptions

SOURCES = (
    "Folder of pictures or tar shards, one shard, a glob pattern, or a URL that fsspec opens; "
    "may be repeated."
)
_NEEDED = ("torch", "pytorch_lightning", "jsonargparse", "onnx")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER_OUT = click.Path(path_type=Path)
_ABOVE_0 = click.FloatRange(0, min_open=True)
FORCE = click.option(
    "-f", "--force", is_flag=True, help="Overwrite the last checkpoint of another run in --out."
)
CUDA_GRAPH = click.option(
    "--cuda-graph", is_flag=True, help="Each step as one CUDA graph, on one GPU, without Lightning."
)


def _options(overrides: tuple[str, ...], config: Path | None) -> "RunOptions":
    from ncodec.training.options import read_options

    return _or_usage_error(lambda: read_options(overrides, config=config))


def _or_usage_error(read: "Callable[[], Options]") -> "Options":
    try:
        return read()
    except InputError as error:
        raise click.UsageError(str(error)) from error


def _check_cuda_graph(**others: object) -> None:
    for name, value in others.items():
        if value is not None:
            msg = f"--cuda-graph and --{name.replace('compressai', 'model')} do not go together"
            raise click.UsageError(msg)


@click.group()
def train() -> None:
    """Train a model on your own pictures or clips."""


@train.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", multiple=True, required=True, help=SOURCES)
@click.option("--exclude", multiple=True, help="Picture to leave out; may be repeated.")
@click.option(
    "--out",
    type=FOLDER_OUT,
    default=Path("runs/image"),
    show_default=True,
    help="Folder for checkpoints and logs.",
)
@click.option(
    "--config",
    type=FILE,
    help="YAML that overrides the defaults in ncodec/training/configs/image.yaml.",
)
@click.option(
    "--resume", type=FILE, help="Checkpoint to continue from, optimizer and budget included."
)
@click.option(
    "--start-from",
    type=FILE,
    help=(
        "Exported weights (image.safetensors), or a checkpoint of CompressAI's for one of its "
        "models, to start from."
    ),
)
@click.option(
    "--model",
    "compressai",
    help="Train an architecture of CompressAI's, such as compressai:mbt2018-mean:4.",
)
@CUDA_GRAPH
@FORCE
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def image(
    data: tuple[str, ...],
    exclude: tuple[str, ...],
    out: Path,
    config: Path | None,
    resume: Path | None,
    start_from: Path | None,
    compressai: str | None,
    cuda_graph: bool,
    force: bool,
    overrides: tuple[str, ...],
) -> None:
    """Train an image model; single options are overridden as --optimizer.minutes 60 or
    --crops.batch 16."""
    _check_out(out, resume=resume, force=force)
    require_modules(*_NEEDED, extra="train")
    from ncodec.training.compressai_models import parse_compressai
    from ncodec.training.run import train_image, train_image_with_cuda_graph

    options = _options(overrides, config)
    if cuda_graph:
        _check_cuda_graph(resume=resume, compressai=compressai)
        last = train_image_with_cuda_graph(
            data, out=out, options=options, start_from=start_from, exclude=exclude
        )
    else:
        last = train_image(
            data,
            out=out,
            options=options,
            resume=resume,
            start_from=start_from,
            exclude=exclude,
            compressai=parse_compressai(compressai) if compressai else None,
        )
    _say_where(last, exportable=compressai is None)


def _check_out(out: Path, *, resume: Path | None, force: bool) -> None:
    """Raise OutputError where the folder holds the last checkpoint of a run that is not resumed.

    Processes that Lightning starts beside the first one find what that has written.
    """
    last = out / LAST
    resumed = resume is not None and resume.resolve().is_relative_to(out.resolve())
    if force or resumed or not last.exists() or _is_started_by_another():
        return
    msg = f"{last}: exists; --resume it, choose another --out, or -f overwrites it"
    raise OutputError(msg)


def _is_started_by_another() -> bool:
    return os.environ.get("LOCAL_RANK", "0") != "0"


def _say_where(last: Path, *, exportable: bool) -> None:
    if not _is_started_by_another():
        click.echo(
            f"{last}: the averaged weights"
            + (f"; `ncodec export {last}` makes a model of them" * exportable)
        )


@train.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--data",
    multiple=True,
    required=True,
    help=f"{SOURCES} Clips, and photographs that are made to move.",
)
@click.option(
    "--out", type=FOLDER_OUT, default=Path("runs/video"), show_default=True, help="As of `image`."
)
@click.option(
    "--config",
    type=FILE,
    help="YAML that overrides the defaults in ncodec/training/configs/video.yaml.",
)
@click.option(
    "--resume", type=FILE, help="Checkpoint to continue from, optimizer and budget included."
)
@click.option(
    "--intra", type=FILE, required=True, help="Exported image weights, which code first frames."
)
@click.option(
    "--start-from",
    type=FILE,
    help="Exported weights of predicted frames to start from (default: those of --intra).",
)
@FORCE
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def video(
    data: tuple[str, ...],
    out: Path,
    config: Path | None,
    resume: Path | None,
    intra: Path,
    start_from: Path | None,
    force: bool,
    overrides: tuple[str, ...],
) -> None:
    """Train a model of predicted frames, on what image weights and itself made of the frames before
    them."""
    _check_out(out, resume=resume, force=force)
    require_modules(*_NEEDED, extra="train")
    from ncodec.training.options import read_video_options
    from ncodec.training.run import train_video

    options = _or_usage_error(lambda: read_video_options(overrides, config=config))
    last = train_video(
        data, out=out, options=options, intra=intra, start_from=start_from, resume=resume
    )
    _say_where(last, exportable=True)


@train.command()
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--out", type=FOLDER_OUT, default=Path("runs/downscaler"), show_default=True)
@click.option("--held-out", multiple=True, help="Clips for validation, a source as of DATA.")
@click.option("--resume", type=FILE, help="Checkpoint to continue from, budget included.")
@click.option("--start-from", type=FILE, help="Checkpoint or downscaler.onnx to start from.")
@click.option("--minutes", type=_ABOVE_0, default=40.0, show_default=True, help="Budget.")
@click.option("--steps", type=click.IntRange(1), help="Budget in steps; whichever ends first.")
@click.option("--learning-rate", type=_ABOVE_0, default=3e-3, show_default=True)
@click.option(
    "--strength",
    type=click.FloatRange(0, 2),
    default=1.0,
    show_default=True,
    help="Factor of what the exported network changes; 0 is Lanczos.",
)
@FORCE
def downscaler(
    data: tuple[str, ...],
    out: Path,
    held_out: tuple[str, ...],
    resume: Path | None,
    start_from: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Train a network that halves frames for streaming ladders, on clips: DATA are folders, shards,
    files or URLs of them."""
    _check_out(out, resume=resume, force=force)
    require_modules(*_NEEDED, extra="train")
    from ncodec.training.downscaler.options import DownscalerOptions
    from ncodec.training.downscaler.run import train_downscaler

    graph = train_downscaler(
        data,
        out=out,
        options=DownscalerOptions(**options),
        held_out=held_out,
        start_from=start_from,
        resume=resume,
        report=lambda line: click.echo(line, err=True),
    )
    click.echo(f"{graph}: the averaged weights; {out / LAST} resumes the run")


@train.command(name="bench", context_settings={"ignore_unknown_options": True})
@click.option("--data", multiple=True, required=True, help=SOURCES)
@click.option("--config", type=FILE, help="YAML that overrides the defaults.")
@click.option(
    "--steps", type=click.IntRange(1), default=20, show_default=True, help="Steps to time."
)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def bench_training(
    data: tuple[str, ...], config: Path | None, steps: int, overrides: tuple[str, ...]
) -> None:
    """Time the parts of a training step, on this machine and with the same options as `ncodec train
    image`."""
    require_modules(*_NEEDED, extra="train")
    from ncodec.training.profile import profile_training

    seen = profile_training(data, options=_options(overrides, config), steps=steps)
    rate = seen.matrix_rate / 1e12
    for name in ("data", "forward", "backward", "optimizer"):
        seconds = getattr(seen, f"{name}_s")
        click.echo(f"{name:20} {seconds * 1e3:8.1f} ms  {seconds / seen.whole_s:5.1%} of a step")
    click.echo(
        f"{'step of the trainer':20} {seen.whole_s * 1e3:8.1f} ms  "
        f"{seen.megapixels / seen.whole_s:.2f} Mpixel/s"
    )
    click.echo(f"{'over bare':20} {seen.whole_s / seen.bare_s:8.2f} ×   forward and backward alone")
    click.echo(
        f"{'utilization':20} {seen.utilization:8.1%}     of {rate:.3f} TFLOP/s, the rate of matrix "
        f"products"
    )


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=FOLDER_OUT,
    help="Folder of the model (default: export, beside the checkpoint; or the model's own).",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing model; its floors stay.")
@click.option("--name", help="Name of the model (default: that of the checkpoint's folder).")
@click.option(
    "--data", multiple=True, help="Training pictures, or clips, that the tables are fitted to."
)
@click.option(
    "--exclude", multiple=True, help="Picture to leave out, as in training; may be repeated."
)
@click.option(
    "--intra",
    type=FILE,
    help="Exported image weights that frames were trained after, as of `train video`.",
)
@click.option("--summary", default="", help="A line about the training for `ncodec models`.")
def export(
    checkpoint: Path,
    output: Path | None,
    force: bool,
    name: str | None,
    data: tuple[str, ...],
    exclude: tuple[str, ...],
    intra: Path | None,
    summary: str,
) -> None:
    """Turn a training checkpoint into a model that encodes and decodes without PyTorch.

    Its folder works where it lies: ncodec encode --model FOLDER. Tables are fitted to --data, or
    stay as they were trained. In place of a checkpoint, the folder of a model gets graphs as this
    release exports them; its weights, tables, name and id stay.
    """
    require_modules(*_NEEDED, extra="train")
    if checkpoint.is_dir():
        if name or data or exclude or intra or summary:
            msg = (
                "a folder of a model keeps its name, tables and summary: expected no option of them"
            )
            raise click.UsageError(msg)
        _renew(checkpoint, output or checkpoint, force=force)
        return
    from ncodec.inference.entry import check_name
    from ncodec.inference.store import check_replaceable
    from ncodec.training.checkpoint import load_checkpoint
    from ncodec.training.export.folder import export_folder

    folder = output or checkpoint.parent / "export"
    chosen = name or checkpoint.resolve().parent.name
    check_name(chosen)
    check_replaceable(folder, overwrite=force)
    model, facts = load_checkpoint(checkpoint)
    if data:
        click.echo("tables are fitted to what the model codes, which takes minutes", err=True)
    examples = _examples(model, data, exclude, intra) if data else None
    entry = export_folder(
        model,
        folder,
        name=chosen,
        facts={**facts, "summary": summary},
        examples=examples,
        overwrite=force,
    )
    _say_model(folder, entry)


def _renew(source: Path, folder: Path, *, force: bool) -> None:
    from ncodec.inference.store import check_replaceable
    from ncodec.training.export.folder import renew_folder

    check_replaceable(folder, overwrite=force)
    _say_model(folder, renew_folder(source, folder, overwrite=force))


def _say_model(folder: Path, entry: dict[str, Any]) -> None:
    megabytes = sum(entry["bytes"].values()) / 1e6
    click.echo(
        f"{folder}: model {entry['name']} ({entry['id']}), {megabytes:.1f} MB; `ncodec encode "
        f"--model {folder}` takes it, and `ncodec models add {folder}` lets this machine decode"
    )


def _examples(
    model: "ImageModel | FrameModel",
    data: tuple[str, ...],
    exclude: tuple[str, ...],
    intra: Path | None,
) -> "Examples":
    from ncodec.networks.frame import FrameModel
    from ncodec.training.checkpoint import load_picture_model
    from ncodec.training.clips import calibration_clips
    from ncodec.training.data import calibration_pictures
    from ncodec.training.export.calibrate import frame_examples, picture_examples

    if isinstance(model, FrameModel) and exclude:
        msg = "--exclude is for pictures"
        raise click.UsageError(msg)
    if not isinstance(model, FrameModel) and intra is not None:
        msg = "--intra is for models of predicted frames"
        raise click.UsageError(msg)
    if not isinstance(model, FrameModel):
        return picture_examples(calibration_pictures(data, exclude=exclude))
    if intra is None:
        msg = "a model of predicted frames needs --intra with --data"
        raise click.UsageError(msg)
    return frame_examples(model, load_picture_model(intra).eval(), calibration_clips(data))
