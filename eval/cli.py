"""`ncodec bench`: the figures of the README, each printed by a command."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.errors import BackendError

if TYPE_CHECKING:
    from PIL import Image

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def bench() -> None:
    """Measure rate–distortion, speed and agreement between backends."""


def _require(*modules: str, extra: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        msg = f"this needs {', '.join(missing)}: pip install 'ncodec[{extra}]'"
        raise BackendError(msg)


def _record(weights: Path, curve: dict[str, object]) -> None:
    """Note a measured curve among the facts of the default model."""
    from ncodec.zoo import MANIFEST

    path = weights / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["models"][0]["facts"]["rate_distortion"] = curve
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _open(picture: Path) -> "Image.Image":
    """A picture as RGB; raises InputError in one sentence."""
    import PIL.Image

    from ncodec.api import load_picture

    return PIL.Image.fromarray(load_picture(picture).pixels)


@bench.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-q", "--quality", type=click.FloatRange(0, 100), default=30, show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write a side-by-side PNG.")
def compare(picture: Path, quality: float, output: Path | None) -> None:
    """One picture beside JPEG at the same size: bits, PSNR and times."""
    import numpy as np

    from ncodec.eval import compare as comparison

    image = _open(picture)
    results = comparison.compare(image, quality=quality)
    click.echo(f"{picture}  {image.width}×{image.height}")
    for result in results:
        click.echo(
            f"{result.name:7} {result.size:9,} bytes  {result.bpp:.3f} bpp  {result.psnr:.2f} dB  "
            f"encode {result.encode_s * 1e3:.0f} ms  decode {result.decode_s * 1e3:.0f} ms"
        )
    if output:
        comparison.side_by_side(np.asarray(image), results).save(output)
        click.echo(f"side by side: {output}")


@bench.command()
@click.argument("folder", type=FOLDER)
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Also write the curves as JSON.")
@click.option("--record", type=FOLDER, help="Also note ncodec's curve in the manifest of this weights folder.")
def rd(folder: Path, save: Path | None, record: Path | None) -> None:
    """Rate–distortion of ncodec, JPEG and WebP over the PNG pictures of FOLDER, and BD-rates."""
    _require("scipy", "skimage", extra="eval")
    from rich.console import Console
    from rich.progress import Progress

    from ncodec.eval.bdrate import bd_rate
    from ncodec.eval.ratedistortion import ANCHORS, NCODEC_QUALITIES, code_with_ncodec, load_folder, measure

    pictures = load_folder(folder)
    points = len(NCODEC_QUALITIES) + sum(len(anchor.qualities) for anchor in ANCHORS)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("measure", total=points * len(pictures))
        curves = {"ncodec": measure(pictures, NCODEC_QUALITIES, code_with_ncodec, advance=lambda: bar.advance(task))}
        for anchor in ANCHORS:
            curves[anchor.name] = measure(pictures, anchor.qualities, anchor.code, advance=lambda: bar.advance(task))
    click.echo(f"{len(pictures)} pictures, means of file bits per pixel and of PSNR over RGB")
    click.echo("  ".join(f"{rate:.3f} bpp {quality:.2f} dB" for rate, quality in curves["ncodec"]))
    for anchor in ANCHORS:
        click.echo(f"BD-rate against {anchor.name:10}  {bd_rate(curves[anchor.name], curves['ncodec']):+6.1f} %")
    if save:
        save.write_text(json.dumps({"pictures": len(pictures), "curves": curves}, indent=1) + "\n", "utf-8")
    if record:
        _record(record, {"pictures": folder.name, "bpp_psnr": [[round(v, 4) for v in p] for p in curves["ncodec"]]})


@bench.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def speed(picture: Path, threads: int) -> None:
    """Time ncodec beside CompressAI's mbt2018-mean, on the same threads, and whole processes."""
    # Before numpy is loaded, so that its own matrix products keep to the same threads.
    os.environ.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    from ncodec.eval.speed import time_compressai, time_ncodec, time_processes

    image = _open(picture)
    ours = time_ncodec(image, threads=threads)
    click.echo(f"{image.width}×{image.height}, {threads} threads, medians")
    click.echo(f"{ours.name:24} encode {ours.encode_s * 1e3:7.0f} ms  decode {ours.decode_s * 1e3:7.0f} ms")
    try:
        peer = time_compressai(image, threads=threads)
    except BackendError as error:
        click.echo(str(error))
    else:
        click.echo(f"{peer.name:24} encode {peer.encode_s * 1e3:7.0f} ms  decode {peer.decode_s * 1e3:7.0f} ms")
        faster = (peer.encode_s / ours.encode_s, peer.decode_s / ours.decode_s)
        click.echo(f"{'ratio':24} encode {faster[0]:7.1f} ×   decode {faster[1]:7.1f} ×")
    for name, seconds in time_processes(image).items():
        click.echo(f"{name:24} {seconds:.2f} s")


@bench.command()
@click.argument("folder", type=FOLDER)
@click.option("--json", "as_json", is_flag=True)
def symbols(folder: Path, as_json: bool) -> None:
    """Count symbols that decode differently between backends, precisions and thread counts (needs PyTorch)."""
    _require("scipy", "skimage", extra="eval")
    _require("torch", "safetensors", extra="torch")
    from ncodec.eval.ratedistortion import load_folder
    from ncodec.eval.symbols import compare_variants

    results = compare_variants(load_folder(folder), (0, 9, 18, 27, 36, 45, 54, 63))
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results]))
        return
    for result in results:
        click.echo(
            f"{result.variant:24} {result.different} of {result.symbols:,} symbols differ, "
            f"pixels by at most {result.largest_pixel_difference}"
        )
