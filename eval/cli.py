"""`ncodec bench`: the figures of the README, each printed by a command."""

import json
import os
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.errors import BackendError
from ncodec.eval.console import FILE_IN, FOLDER, NewFile, force_option, percent, stages
from ncodec.optional import require_modules
from ncodec.quality import DEFAULT_EFFORT, MAX_EFFORT

if TYPE_CHECKING:
    from PIL import Image


@click.group()
def bench() -> None:
    """Measure rate–distortion, speed and agreement between backends."""


def _record(weights: Path, curve: dict[str, object]) -> None:
    """Note a measured curve among the facts of the default model."""
    from ncodec.api.models import MANIFEST

    path = weights / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["models"][0]["facts"]["rate_distortion"] = curve
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _open(picture: Path) -> "Image.Image":
    """A picture as RGB; raises InputError in one sentence."""
    import PIL.Image

    from ncodec.api.pictures import load_picture

    return PIL.Image.fromarray(load_picture(picture).pixels)


@bench.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-q", "--quality", type=click.FloatRange(0, 100), default=30, show_default=True)
@click.option("-o", "--output", type=NewFile(".png"), help="Also write a side-by-side PNG.")
@force_option
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
@click.option("--save", type=NewFile(".json"), help="Also write the curves as JSON.")
@force_option
@click.option("--record", type=FOLDER, help="Also note ncodec's curve in the manifest of this weights folder.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: all cores.")
def rd(folder: Path, save: Path | None, record: Path | None, jobs: int | None) -> None:
    """Rate–distortion of ncodec, at three efforts, JPEG and WebP over the pictures of FOLDER.

    `ncodec report` compares with more.
    """
    require_modules("scipy", "skimage", extra="eval")
    from tempfile import TemporaryDirectory

    from ncodec.eval.codecs.registry import JPEG_420, JPEG_444, NCODEC, NCODEC_LONGER, NCODEC_PLAIN, WEBP
    from ncodec.eval.curves import mean_curve, rate_difference
    from ncodec.eval.measure import find_files, load_sources, measure
    from ncodec.eval.media import PICTURES
    from ncodec.eval.store import Store

    sources, unreadable = load_sources(PICTURES, find_files([folder])[1])
    for sentence in unreadable:
        click.echo(f"left out: {sentence}", err=True)
    efforts = (NCODEC, NCODEC_PLAIN, NCODEC_LONGER)
    codecs = (*efforts, JPEG_420, JPEG_444, WEBP)
    with stages() as progress, TemporaryDirectory() as cache:
        measured = measure(
            PICTURES,
            sources,
            codecs,
            metrics=["psnr"],
            store=Store(Path(cache)),
            jobs=jobs or os.cpu_count() or 1,
            advance=progress("measure", len(sources) * sum(len(codec.qualities) for codec in codecs)),
        )
    made = [mean_curve(m, sources, ["psnr"]) for m in measured]
    ours, anchors = made[: len(efforts)], made[len(efforts) :]
    curves = {curve.name: curve.curve("psnr") for curve in made}
    click.echo(f"{len(sources)} pictures, means of file bits per pixel and of PSNR over RGB")
    click.echo("  ".join(f"{rate:.3f} bpp {quality:.2f} dB" for rate, quality in curves[NCODEC.name]))
    click.echo(f"{'BD-rate against':26}" + "".join(f"{curve.name:>17}" for curve in ours))
    for anchor in anchors:
        rates = (percent(rate_difference(anchor, curve, "psnr")) for curve in ours)
        click.echo(f"{anchor.name:26}" + "".join(f"{rate:>17}" for rate in rates))
    if save:
        save.write_text(json.dumps({"pictures": len(sources), "curves": curves}, indent=1) + "\n", "utf-8")
    if record:
        points = [[round(value, 4) for value in point] for point in curves[NCODEC.name]]
        _record(record, {"pictures": folder.name, "bpp_psnr": points})


@bench.command()
@click.argument("clips", nargs=-1, required=True, type=FILE_IN)
@click.option("-q", "--quality", "qualities", type=click.FloatRange(0, 100), multiple=True, default=(14, 44, 72))
@click.option(
    "--figure", type=NewFile(".svg", ".png", ".html"), help="Also draw quality over time (.svg, .png, .html)."
)
@force_option
def drift(clips: tuple[Path, ...], qualities: tuple[float, ...], figure: Path | None) -> None:
    """How far quality sinks in 113 frames after one intra frame: a clip's first frames, played to and fro."""
    require_modules("scipy", "skimage", "altair", "vl_convert", extra="eval")
    from ncodec.eval.drift import drift_chart, measure_drift

    with stages() as progress:
        found = measure_drift(clips, qualities, advance=progress("measure", len(clips) * len(qualities)))
    for each in found:
        click.echo(f"{each.clip:30} quality {each.quality:3g}  {each.change:+.2f} dB")
    if figure:
        drift_chart(found).save(figure)


@bench.command()
@click.argument("clips", nargs=-1, required=True, type=FILE_IN)
@click.option("--frames", type=click.IntRange(2), default=96, show_default=True, help="Most frames of a clip.")
@click.option("--save", type=NewFile(".json"), help="Also write the curves as JSON.")
@force_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: all cores.")
def video(clips: tuple[Path, ...], frames: int, save: Path | None, jobs: int | None) -> None:
    """BD-rates of clips against intra frames alone and low-delay H.264 and H.265, by PSNR 6:1:1."""
    require_modules("scipy", "skimage", extra="eval")
    from tempfile import TemporaryDirectory

    from ncodec.eval.clips import INTRA_CLIPS, NCODEC_CLIPS, X264_FAST, X264_LOW_DELAY, X265_LOW_DELAY
    from ncodec.eval.curves import mean_curve, rate_difference
    from ncodec.eval.measure import Measured, load_sources, measure
    from ncodec.eval.media import CLIPS
    from ncodec.eval.store import Store

    sources, unreadable = load_sources(CLIPS, clips, frames=frames)
    for sentence in unreadable:
        click.echo(f"left out: {sentence}", err=True)
    codecs = (NCODEC_CLIPS, INTRA_CLIPS, X264_FAST, X264_LOW_DELAY, X265_LOW_DELAY)
    with stages() as progress, TemporaryDirectory() as cache:
        measured = measure(
            CLIPS,
            sources,
            codecs,
            metrics=[CLIPS.main_metric],
            store=Store(Path(cache)),
            jobs=jobs or os.cpu_count() or 1,
            advance=progress("measure", len(sources) * sum(len(codec.qualities) for codec in codecs)),
        )
    click.echo(f"{'BD-rate against':36}" + "".join(f"{codec.name:>26}" for codec in codecs[1:]))
    table = {}
    for source in sources:
        alone = [Measured(m.codec, {source.name: m.outcomes[source.name]}) for m in measured]
        ours, *anchors = (mean_curve(m, [source], [CLIPS.main_metric]) for m in alone)
        rates = [percent(rate_difference(anchor, ours, CLIPS.main_metric)) for anchor in anchors]
        click.echo(f"{source.name[:35]:36}" + "".join(f"{rate:>26}" for rate in rates))
        table[source.name] = {curve.name: curve.curve(CLIPS.main_metric) for curve in (ours, *anchors)}
    if save:
        save.write_text(json.dumps({"frames": frames, "curves": table}, indent=1) + "\n", "utf-8")


@bench.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True)
def speed(picture: Path, threads: int) -> None:
    """Time ncodec, with its usual effort and none, beside CompressAI's mbt2018-mean, and whole processes."""
    # Before numpy is loaded, so that its own matrix products keep to the same threads.
    os.environ.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    from ncodec.eval.speed import time_compressai, time_ncodec, time_processes

    image = _open(picture)
    click.echo(f"{image.width}×{image.height}, {threads} threads, medians")
    ours = [time_ncodec(image, effort=effort, threads=threads) for effort in (DEFAULT_EFFORT, 0)]
    try:
        peers = [time_compressai(image, threads=threads)]
    except BackendError as error:
        peers = []
        click.echo(str(error))
    for timed in (*ours, *peers):
        click.echo(f"{timed.name:24} encode {timed.encode_s * 1e3:7.0f} ms  decode {timed.decode_s * 1e3:7.0f} ms")
    for timed, peer in product(ours, peers):
        faster = (peer.encode_s / timed.encode_s, peer.decode_s / timed.decode_s)
        click.echo(f"ratio of {timed.name:15} encode {faster[0]:7.1f} ×   decode {faster[1]:7.1f} ×")
    for name, seconds in time_processes(image).items():
        click.echo(f"{name:24} {seconds:.2f} s")


@bench.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--effort", "efforts", type=click.IntRange(1, MAX_EFFORT), multiple=True, default=(1, 2, 6, 9), show_default=True
)
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Take every n-th picture alone.")
@click.option("--threads", type=click.IntRange(1, 256), help="CPU threads; default: all cores.")
def effort(folder: Path, efforts: tuple[int, ...], every: int, threads: int | None) -> None:
    """BD-rate and time of encoding with an effort against encoding without."""
    require_modules("scipy", extra="eval")
    from ncodec.eval.effort import QUALITIES, measure_efforts, saved
    from ncodec.eval.measure import find_files
    from ncodec.eval.media import read_pixels

    pictures = [read_pixels(path) for path in find_files([folder])[1][::every]]
    with stages() as progress:
        results = measure_efforts(
            pictures,
            (0, *efforts),
            threads=threads,
            advance=progress("encode", len(pictures) * len(QUALITIES) * (1 + len(efforts))),
        )
    click.echo(f"{len(pictures)} pictures at qualities {', '.join(map(str, QUALITIES))}")
    for result, rate in zip(results, saved(results), strict=True):
        slower = result.encode_s / results[0].encode_s
        click.echo(f"effort {result.effort}  {rate:+6.2f} %  {result.encode_s:7.2f} s a picture  {slower:6.1f} ×")


@bench.command()
@click.argument("folder", type=FOLDER)
@click.option("--effort", "efforts", type=click.IntRange(0, MAX_EFFORT), multiple=True, default=(0,), show_default=True)
@click.option("--save", type=NewFile(".json"), help="Also write every size and PSNR as JSON.")
@force_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: all cores.")
def promises(folder: Path, efforts: tuple[int, ...], save: Path | None, jobs: int | None) -> None:
    """Whether every picture of FOLDER is as good and as small as it is to be, at eleven qualities.

    No picture may be worse than the floor of its quality, worse than at a lower quality by more than 0.2 dB, or larger
    than lossless WebP by more than 2 % and 64 bytes. `python -m ncodec.eval.corpora` writes pictures that are hard.
    Exits with 1 where one is.
    """
    from ncodec.eval.measure import find_files
    from ncodec.eval.promises import Checked, check_pictures, table_of

    paths = find_files([folder])[1]
    broken, checked = 0, []
    with stages() as progress:
        advance = progress("check", len(paths) * len(efforts))
        for (path, effort), result in check_pictures(paths, efforts, jobs=jobs or os.cpu_count() or 1):
            sentences = list(result.broken()) if isinstance(result, Checked) else [result]
            checked += [result] if isinstance(result, Checked) else []
            for sentence in sentences:
                click.echo(f"{path.name}, effort {effort}, {sentence}")
            broken += bool(sentences)
            advance(1)
    for line in table_of(checked):
        click.echo(line)
    click.echo(f"{len(paths) * len(efforts) - broken} of {len(paths) * len(efforts)} as promised")
    if save:
        rows = sorted((asdict(each) for each in checked), key=lambda row: (row["effort"], row["name"]))
        save.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    if broken:
        raise SystemExit(1)


@bench.command()
@click.argument("folder", type=FOLDER)
@click.option("--frames", type=click.IntRange(2), default=64, show_default=True, help="Most frames of a clip.")
@click.option("--json", "as_json", is_flag=True)
def symbols(folder: Path, frames: int, as_json: bool) -> None:
    """Count symbols that decode differently between backends, precisions and thread counts (needs PyTorch).

    FOLDER holds pictures, or clips, which are coded as one intra frame and predicted ones.
    """
    require_modules("scipy", "skimage", extra="eval")
    require_modules("torch", "safetensors", extra="torch")
    from ncodec.api.agreement import add_up, compare_frames, compare_variants
    from ncodec.eval.measure import find_files
    from ncodec.eval.media import CLIPS, read_pixels

    medium, paths = find_files([folder])
    if medium is CLIPS:
        from ncodec.eval.clips import read_rgb

        results = add_up([compare_frames(read_rgb(path, most=frames), qp) for path in paths for qp in (12, 32, 52)])
    else:
        results = compare_variants([read_pixels(path) for path in paths], (0, 9, 18, 27, 36, 45, 54, 63))
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results]))
        return
    for result in results:
        click.echo(
            f"{result.variant:24} {result.different} of {result.symbols:,} symbols differ, "
            f"pixels by at most {result.largest_pixel_difference}"
        )
