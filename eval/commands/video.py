"""`ncodec bench video`: rate–distortion over clips."""

import os
from pathlib import Path

import click

from ncodec.eval.commands.console import FILE_IN, NewFile, force_option, percent, stages, write_json
from ncodec.optional import require_modules


@click.command()
@click.argument("clips", nargs=-1, required=True, type=FILE_IN)
@click.option(
    "--frames", type=click.IntRange(2), default=96, show_default=True, help="Most frames of a clip."
)
@click.option("--save", type=NewFile(".json"), help="Also write the curves as JSON.")
@force_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: all cores.")
def video(clips: tuple[Path, ...], frames: int, save: Path | None, jobs: int | None) -> None:
    """BD-rates of clips against intra frames alone and low-delay H.264 and H.265, by PSNR 6:1:1."""
    require_modules("scipy", "skimage", extra="eval")
    from tempfile import TemporaryDirectory

    from ncodec.eval.clips import (
        INTRA_CLIPS,
        NCODEC_CLIPS,
        X264_FAST,
        X264_LOW_DELAY,
        X265_LOW_DELAY,
    )
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
            advance=progress(
                "measure", len(sources) * sum(len(codec.qualities) for codec in codecs)
            ),
        )
    click.echo(f"{'BD-rate against':36}" + "".join(f"{codec.name:>26}" for codec in codecs[1:]))
    table = {}
    for source in sources:
        alone = [Measured(m.codec, {source.name: m.outcomes[source.name]}) for m in measured]
        ours, *anchors = (mean_curve(m, [source], [CLIPS.main_metric]) for m in alone)
        rates = [percent(rate_difference(anchor, ours, CLIPS.main_metric)) for anchor in anchors]
        click.echo(f"{source.name[:35]:36}" + "".join(f"{rate:>26}" for rate in rates))
        table[source.name] = {
            curve.name: curve.curve(CLIPS.main_metric) for curve in (ours, *anchors)
        }
    if save:
        write_json({"frames": frames, "curves": table}, save)
