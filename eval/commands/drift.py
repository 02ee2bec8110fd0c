"""`ncodec bench drift`: quality after one intra frame."""

from pathlib import Path

import click

from ncodec.eval.commands.console import FILE_IN, NewFile, force_option, stages
from ncodec.optional import require_modules


@click.command()
@click.argument("clips", nargs=-1, required=True, type=FILE_IN)
@click.option(
    "-q",
    "--quality",
    "qualities",
    type=click.FloatRange(0, 100),
    multiple=True,
    default=(14, 44, 72),
)
@click.option(
    "--figure",
    type=NewFile(".svg", ".png", ".html"),
    help="Also draw quality over time (.svg, .png, .html).",
)
@force_option
def drift(clips: tuple[Path, ...], qualities: tuple[float, ...], figure: Path | None) -> None:
    """Drift of quality over 113 frames after one intra frame: a clip's first frames, played to and
    fro."""
    require_modules("scipy", "skimage", "altair", "vl_convert", extra="eval")
    from ncodec.eval.charts import draw
    from ncodec.eval.drift import drift_chart, measure_drift
    from ncodec.media.streams import write_bytes

    with stages() as progress:
        found = measure_drift(
            clips, qualities, advance=progress("measure", len(clips) * len(qualities))
        )
    for each in found:
        click.echo(f"{each.clip:30} quality {each.quality:3g}  {each.change:+.2f} dB")
    if figure:
        write_bytes(draw(drift_chart(found), figure.suffix), figure, overwrite=True)
