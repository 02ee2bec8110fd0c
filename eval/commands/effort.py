"""`ncodec bench effort`: bits saved and time taken by efforts."""

from pathlib import Path

import click

from ncodec.eval.commands.console import FOLDER, stages
from ncodec.optional import require_modules
from ncodec.quality import MAX_EFFORT


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--effort",
    "efforts",
    type=click.IntRange(1, MAX_EFFORT),
    multiple=True,
    default=(1, 2, 6, 9),
    show_default=True,
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Take every n-th picture alone.",
)
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
        click.echo(
            f"effort {result.effort}  {rate:+6.2f} %  {result.encode_s:7.2f} s a picture  "
            f"{slower:6.1f} ×"
        )
