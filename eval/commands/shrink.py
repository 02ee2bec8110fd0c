"""`ncodec bench shrink`: what smaller decoders of a model cost and lose."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.eval.commands.console import FOLDER, NewFile, force_option, stages, write_json
from ncodec.optional import require_modules

if TYPE_CHECKING:
    from ncodec.eval.decoders import DecoderFigures


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--model", help="Name, id or folder of a model (default: that of pictures).")
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Take every n-th picture alone.",
)
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True)
@force_option
@click.option("--plot", type=NewFile(".svg", ".png", ".html"), help="Chart of dB over time.")
@click.option("--save", type=NewFile(".json"), help="File of all figures.")
def shrink(
    folder: Path,
    model: str | None,
    every: int,
    threads: int,
    plot: Path | None,
    save: Path | None,
) -> None:
    """Time, size and loss of every decoder of a model, on the pictures of a folder."""
    require_modules("scipy", extra="eval")
    if plot is not None:
        require_modules("altair", extra="eval")
    from ncodec.eval.decoders import QUALITIES, measure_decoders
    from ncodec.eval.measure import find_files
    from ncodec.eval.media import read_pixels

    pictures = [read_pixels(path) for path in find_files([folder])[1][::every]]
    with stages() as progress:
        found = measure_decoders(
            pictures,
            model,
            threads=threads,
            advance=progress("decode", len(pictures) * len(QUALITIES)),
        )
    click.echo(
        f"{len(pictures)} pictures, {threads} threads; dB lost at qualities "
        f"{', '.join(map(str, QUALITIES))}"
    )
    for figures in found:
        _print(figures, found[0])
    rows = [_row(figures, found[0]) for figures in found]
    if save is not None:
        write_json({"pictures": len(pictures), "threads": threads, "decoders": rows}, save)
    if plot is not None:
        from ncodec.eval.charts import decoder_chart, draw
        from ncodec.media.streams import write_bytes

        write_bytes(draw(decoder_chart(rows), plot.suffix), plot, overwrite=True)


def _print(figures: "DecoderFigures", full: "DecoderFigures") -> None:
    faster = full.seconds_per_megapixel / figures.seconds_per_megapixel
    lost = "  ".join(f"{value:5.2f}" for value in figures.lost_db(full))
    click.echo(
        f"{figures.name:10}  {figures.kmac_per_pixel:5.2f} kMAC/px  {figures.megabytes:5.1f} MB  "
        f"{1e3 * figures.seconds_per_megapixel:6.1f} ms/Mpx  {faster:5.2f} × as fast  "
        f"{figures.bd_rate(full):+6.1f} %  {lost}"
    )


def _row(figures: "DecoderFigures", full: "DecoderFigures") -> dict[str, object]:
    """A decoder in a file of figures."""
    lost = figures.lost_db(full)
    return {
        "decoder": figures.name,
        "made_by": list(figures.made_by),
        "kmac": figures.kmac_per_pixel,
        "megabytes": round(figures.megabytes, 2),
        "ms": round(1e3 * figures.seconds_per_megapixel, 1),
        "bd_rate": round(figures.bd_rate(full), 2),
        "lost_db": round(sum(lost) / len(lost), 3),
        "lost_db_by_quality": [round(value, 3) for value in lost],
        "curve": [[round(bpp, 4), round(decibels, 3)] for bpp, decibels in figures.curve],
    }
