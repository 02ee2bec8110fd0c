"""`ncodec bench symbols`: agreement of backends on symbols."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from ncodec.eval.commands.console import FOLDER
from ncodec.optional import require_modules


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--frames", type=click.IntRange(2), default=64, show_default=True, help="Most frames of a clip."
)
@click.option("--json", "as_json", is_flag=True)
def symbols(folder: Path, frames: int, as_json: bool) -> None:
    """Count symbols that decode differently between backends, precisions and thread counts (needs
    PyTorch).

    FOLDER holds pictures, or clips, which are coded as one intra frame and predicted ones.
    """
    require_modules("scipy", "skimage", extra="eval")
    require_modules("torch", "safetensors", extra="torch")
    from ncodec.api.agreement import add_up, compare_frames, compare_variants
    from ncodec.eval.measure import find_files
    from ncodec.eval.media import CLIPS, read_pixels

    medium, paths = find_files([folder])
    if medium is CLIPS:
        from ncodec.eval.stored_frames import read_rgb

        results = add_up(
            [
                compare_frames(read_rgb(path, most=frames), qp)
                for path in paths
                for qp in (12, 32, 52)
            ]
        )
    else:
        results = compare_variants(
            [read_pixels(path) for path in paths], (0, 9, 18, 27, 36, 45, 54, 63)
        )
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results]))
        return
    for result in results:
        click.echo(
            f"{result.variant:24} {result.different} of {result.symbols:,} symbols differ, "
            f"pixels by at most {result.largest_pixel_difference}"
        )
