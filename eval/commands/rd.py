"""`ncodec bench rd`: rate–distortion over pictures."""

import os
from pathlib import Path

import click

from ncodec.eval.commands.console import FOLDER, NewFile, force_option, percent, stages, write_json
from ncodec.optional import require_modules


def _record(folder: Path, curve: dict[str, object]) -> None:
    """Note a measured curve among the facts of a model's folder."""
    from ncodec.api.models import read_entry, write_entry

    entry = read_entry(folder)
    write_entry({**entry, "facts": {**entry["facts"], "rate_distortion": curve}}, folder)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--save", type=NewFile(".json"), help="Also write the curves as JSON.")
@force_option
@click.option(
    "--record", type=FOLDER, help="Also note ncodec's curve in the folder of the default model."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: all cores.")
def rd(folder: Path, save: Path | None, record: Path | None, jobs: int | None) -> None:
    """Rate–distortion of ncodec, at three efforts, JPEG and WebP over the pictures of FOLDER.

    `ncodec report` compares with more.
    """
    require_modules("scipy", "skimage", extra="eval")
    from tempfile import TemporaryDirectory

    from ncodec.eval.codecs.registry import (
        JPEG_420,
        JPEG_444,
        NCODEC,
        NCODEC_LONGER,
        NCODEC_PLAIN,
        WEBP,
    )
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
            advance=progress(
                "measure", len(sources) * sum(len(codec.qualities) for codec in codecs)
            ),
        )
    made = [mean_curve(m, sources, ["psnr"]) for m in measured]
    ours, anchors = made[: len(efforts)], made[len(efforts) :]
    curves = {curve.name: curve.curve("psnr") for curve in made}
    click.echo(f"{len(sources)} pictures, means of file bits per pixel and of PSNR over RGB")
    click.echo(
        "  ".join(f"{rate:.3f} bpp {quality:.2f} dB" for rate, quality in curves[NCODEC.name])
    )
    click.echo(f"{'BD-rate against':26}" + "".join(f"{curve.name:>17}" for curve in ours))
    for anchor in anchors:
        rates = (percent(rate_difference(anchor, curve, "psnr")) for curve in ours)
        click.echo(f"{anchor.name:26}" + "".join(f"{rate:>17}" for rate in rates))
    if save:
        write_json({"pictures": len(sources), "curves": curves}, save)
    if record:
        points = [[round(value, 4) for value in point] for point in curves[NCODEC.name]]
        _record(record, {"pictures": folder.name, "bpp_psnr": points})
