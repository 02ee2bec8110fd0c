"""`ncodec bench ladder`: ladders by probes, beside the full hull and the fixed ladder."""

import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import click

from ncodec.eval.commands.console import FILE_IN, NewFile, force_option, stages, write_json
from ncodec.optional import require_modules

if TYPE_CHECKING:
    from ncodec.eval.ladders import LadderFigures


@click.command()
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...", type=FILE_IN)
@click.option(
    "--codec", type=click.Choice(["h264", "hevc", "av1"]), default="h264", show_default=True
)
@force_option
@click.option("--save", type=NewFile(".json"), help="File of all figures.")
def ladder(clips: tuple[Path, ...], codec: str, save: Path | None) -> None:
    """Bits of the ladders of `ncodec stream` over those of the full hull at equal VMAF, their
    BD-rate against the fixed ladder, and how near the top rung is to its target.

    Every clip is coded at 50 to 100 settings.
    """
    require_modules("imageio_ffmpeg", "scipy", extra="eval")
    from ncodec.eval.ladders import measure_ladder, settings_count

    jobs = os.cpu_count() or 1
    found = []
    with stages() as progress:
        for clip in clips:
            advance = progress(clip.stem, settings_count(clip, codec))
            found.append(measure_ladder(clip, codec, jobs=jobs, progress=partial(advance, 1)))
    for figures in found:
        click.echo(_line(figures))
    rates = [one.against_fixed for one in found if one.against_fixed is not None]
    click.echo(
        f"mean of {len(found)}: {100 * fmean(one.excess for one in found):+.1f} % bits over the "
        f"hull, {fmean(rates) if rates else 0:+.1f} % against the fixed ladder"
    )
    if save is not None:
        write_json({"codec": codec, "clips": [asdict(one) for one in found]}, save)


def _line(figures: "LadderFigures") -> str:
    heights = "/".join(str(rung.height) for rung in figures.rungs)
    fixed = "–" if figures.against_fixed is None else f"{figures.against_fixed:+.1f} %"
    return (
        f"{figures.clip[:40]:40}  {heights:24}  over the hull {100 * figures.excess:+.1f} %  "
        f"against fixed {fixed}  top VMAF {figures.rungs[0].vmaf:.1f}, wanted {figures.target:.1f}"
    )
