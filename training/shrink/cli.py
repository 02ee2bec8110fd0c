"""`ncodec shrink`: smaller decoders of a model; PyTorch is loaded only when it runs."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.errors import InputError, OutputError
from ncodec.optional import require_modules
from ncodec.quality import FULL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ncodec.inference.model import Model
    from ncodec.networks.shrunk import ShrunkDecoder
    from ncodec.training.shrink.examples import Examples, Material
    from ncodec.training.shrink.variant import Variant

NEEDED = ("torch", "onnx", "safetensors")
Command = Callable[..., None]
Change = Callable[["ShrunkDecoder", "Examples"], "ShrunkDecoder"]
"""decoder and examples → smaller decoder"""


class Number(click.FloatRange):
    """A finite number."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Turn text into a number; raises click.BadParameter for one out of range, and for NaN."""
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"expected a finite number, got {value}", param, ctx)
        return number


@dataclass(frozen=True, kw_only=True)
class Job:
    """Options of every method."""

    model: str
    decoder: str
    name: str
    data: tuple[str, ...]
    exclude: tuple[str, ...]
    output: Path | None
    minutes: float
    examples: int
    run: Path | None
    resume: bool
    force: bool


def _shared(default_name: str) -> Callable[[Command], Command]:
    """Options of every method; its command is called with a `Job` and its own options."""
    options = [
        click.argument("model", metavar="NAME|ID|FOLDER"),
        click.option(
            "--decoder", default=FULL, show_default=True, help="Decoder of the model to shrink."
        ),
        click.option(
            "--name", default=default_name, show_default=True, help="Name of the new decoder."
        ),
        click.option(
            "--data",
            multiple=True,
            required=True,
            help="Folder of pictures, tar shards, glob pattern or URL; may be repeated.",
        ),
        click.option("--exclude", multiple=True, help="Picture to leave out; may be repeated."),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            help="Folder of the model with the new decoder (default: the model's own).",
        ),
        click.option(
            "--minutes",
            type=Number(0),
            default=20.0,
            show_default=True,
            help="Minutes of fitting afterwards; 0 for none.",
        ),
        click.option(
            "--examples",
            type=click.IntRange(16),
            default=4096,
            show_default=True,
            help="Crops of 256×256 to fit to, of 0.8 MB each in memory.",
        ),
        click.option(
            "--run",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Checkpoint of the fitting (default: runs/shrink/NAME.ckpt).",
        ),
        click.option("--resume", is_flag=True, help="Continue the fitting of --run."),
        click.option(
            "-f", "--force", is_flag=True, help="Replace a decoder, folder or checkpoint."
        ),
    ]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_job(**given: Any) -> None:
            shared = {name: given.pop(name) for name in Job.__dataclass_fields__}
            command(Job(**shared), **given)

        decorated: Command = with_job
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


KMAC = click.option(
    "--kmac",
    type=Number(0, min_open=True),
    required=True,
    help="Thousand multiply–accumulates a pixel to keep.",
)


@click.group()
def shrink() -> None:
    """Make smaller decoders of a model of pictures, which read its files with less work.

    Each method starts from a decoder of the model and writes another one beside it, so methods can
    follow each other: ncodec shrink decompose base --decoder pruned --name small. Encoder, tables
    and means stay: every decoder reads every file of the model.
    """


@shrink.command()
@_shared("pruned")
@KMAC
def prune(job: Job, kmac: float) -> None:
    """Remove the channels of body and renderer that matter least, then fit the rest.

    Channels of layers that belong together go together. Their score is the first-order change of
    the loss without them.
    """

    def change(decoder: "ShrunkDecoder", examples: "Examples") -> "ShrunkDecoder":
        from ncodec.training.shrink.prune import prune as prune_decoder

        return prune_decoder(decoder, examples, kmac=kmac)

    _work(job, change, f"pruned to {kmac:g} kMAC/px")


@shrink.command()
@_shared("student")
@click.option("--body-width", type=click.IntRange(8), default=96, show_default=True)
@click.option("--body-depth", type=click.IntRange(1), default=2, show_default=True)
@click.option("--render-width", type=click.IntRange(8), default=32, show_default=True)
@click.option("--render-depth", type=click.IntRange(1), default=2, show_default=True)
def distill(job: Job, **shape: int) -> None:
    """Fit a student of chosen widths and depths to the pixels of the model's own decoder.

    It begins with the channels of the decoder that matter most.
    """

    def change(decoder: "ShrunkDecoder", examples: "Examples") -> "ShrunkDecoder":
        from ncodec.training.shrink.distill import StudentShape, student_of

        return student_of(decoder, StudentShape(**shape), examples)

    body, render = (
        f"{shape[f'{part}_width']}×{shape[f'{part}_depth']}" for part in ("body", "render")
    )
    _work(job, change, f"distilled to a body of {body} and a renderer of {render}")


@shrink.command()
@_shared("factored")
@KMAC
def decompose(job: Job, kmac: float) -> None:
    """Replace 1×1 convolutions by products of two of lower rank, then fit them.

    Ranks follow from the share of a layer's output that each direction carries on the examples.
    """

    def change(decoder: "ShrunkDecoder", examples: "Examples") -> "ShrunkDecoder":
        from ncodec.training.shrink.decompose import decompose as decompose_decoder

        decompose_decoder(decoder, examples, kmac=kmac)
        return decoder

    _work(job, change, f"decomposed to {kmac:g} kMAC/px")


@shrink.command()
@_shared("int8")
@click.option(
    "--lost",
    type=Number(0),
    default=0.1,
    show_default=True,
    help="Most dB that rounding may cost at any measured QP, before the fitting.",
)
def quantize(job: Job, lost: float) -> None:
    """Round layers to 8 bits, those that bear it best first, then fit them as they are rounded."""

    def change(decoder: "ShrunkDecoder", examples: "Examples") -> "ShrunkDecoder":
        from ncodec.training.shrink.quantize import quantize_within

        chosen = quantize_within(decoder, examples, lost_db=lost)
        click.echo(f"{len(chosen)} layers in 8 bits: {', '.join(chosen)}", err=True)
        return decoder

    _work(job, change, f"quantized within {lost:g} dB")


def _work(job: Job, change: Change, method: str) -> None:
    require_modules(*NEEDED, extra="train")
    from ncodec.inference.zoo import find_model, load_model
    from ncodec.training.shrink.variant import check_room, load_variant, save_variant

    model = load_model(job.model, kind=find_model(job.model).entry["kind"])
    check_room(model, job.name, output=job.output, overwrite=job.force)
    run = job.run or Path("runs") / "shrink" / f"{job.name}.ckpt"
    _check_run(run, job)
    variant = load_variant(model, job.decoder)
    task = f"decoder {job.decoder} of model {model.name} ({model.id:08x}), {method}"
    resumed = _resumed(run, variant, task) if job.resume else None
    material = _material(job)
    examples = _examples(model, material, job)
    smaller = _fitted(job, variant, change, method, examples, run, task, resumed)
    lost = _measure(model, material, smaller)
    folder = job.output or model.folder
    kmac = save_variant(model, job.name, smaller, lost, folder=folder, overwrite=job.force)
    run.unlink(missing_ok=True)
    decibels = ", ".join(f"{value:.2f} at QP {qp}" for qp, value in lost)
    click.echo(
        f"{folder}: decoder {job.name} of model {model.name}, {kmac:.2f} kMAC/px; dB lost on held-"
        f"out crops: {decibels}; `ncodec decode --decoder {job.name}` takes it"
    )


def _check_run(run: Path, job: Job) -> None:
    if job.resume and not run.exists():
        msg = f"{run}: expected a checkpoint to resume, got none"
        raise InputError(msg)
    if run.exists() and not job.resume and not job.force:
        msg = f"{run}: exists; --resume continues it, -f begins anew"
        raise OutputError(msg)
    run.parent.mkdir(parents=True, exist_ok=True)


def _resumed(run: Path, variant: "Variant", task: str) -> "ShrunkDecoder":
    from ncodec.training.shrink.finetune import decoder_of_run

    return decoder_of_run(run, variant.decoder.config, task=task)


def _material(job: Job) -> "Material":
    from ncodec.training.pictures import CropOptions
    from ncodec.training.shrink.examples import load_material

    return load_material(job.data, CropOptions(), exclude=job.exclude)


def _examples(model: "Model", material: "Material", job: Job) -> "Examples":
    with _bar("crops are coded") as progress:
        return material.training_examples(model, job.examples, progress=progress)


def _fitted(
    job: Job,
    variant: "Variant",
    change: Change,
    method: str,
    examples: "Examples",
    run: Path,
    task: str,
    resumed: "ShrunkDecoder | None",
) -> "Variant":
    """The variant after one method and its fitting, or after that of a fit that was stopped."""
    from ncodec.training.shrink.finetune import FitOptions, fit

    if resumed is not None:
        decoder = resumed
    else:
        run.unlink(missing_ok=True)
        decoder = change(variant.decoder, examples)
    if job.minutes:
        method += f", fitted for {job.minutes:g} minutes"
        with _bar("the decoder is fitted") as progress:
            fit(
                decoder,
                examples,
                FitOptions(minutes=job.minutes),
                run=run,
                task=task,
                report=lambda share, _: progress(round(1000 * share), 1000),
            )
    return variant.changed(decoder, method)


def _measure(model: "Model", material: "Material", variant: "Variant") -> "list[tuple[int, float]]":
    from ncodec.training.export.onnx import round_to_half
    from ncodec.training.shrink.finetune import losses

    round_to_half(variant.decoder)
    held_out = material.held_out_examples(model, progress=lambda _done, _all: None)
    return losses(variant.decoder, held_out)


@contextmanager
def _bar(label: str) -> "Iterator[Callable[[int, int], None]]":
    """Context manager of a progress bar on standard error, and what moves it: done and all."""
    import sys

    with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:

        def progress(done: int, whole: int) -> None:
            bar.update(round(1000 * done / whole) - bar.pos)

        yield progress
