"""`ncodec bench promises`: floors, monotony and sizes over pictures."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from ncodec.eval.commands.console import FOLDER, NewFile, force_option, stages, write_json
from ncodec.quality import MAX_EFFORT


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--effort",
    "efforts",
    type=click.IntRange(0, MAX_EFFORT),
    multiple=True,
    default=(0,),
    show_default=True,
)
@click.option("--save", type=NewFile(".json"), help="Also write every size and PSNR as JSON.")
@force_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: all cores.")
def promises(folder: Path, efforts: tuple[int, ...], save: Path | None, jobs: int | None) -> None:
    """Whether every picture of FOLDER is as good and as small as it is to be, at eleven qualities.

    No picture may be worse than the floor of its quality, worse than at a lower quality by more
    than 0.2 dB, or larger than lossless WebP by more than 2 % and 64 bytes. `python -m
    ncodec.eval.corpora` writes pictures that are hard. Exits with 1 where one is.
    """
    from ncodec.eval.measure import find_files
    from ncodec.eval.promises import Checked, check_pictures, table_of

    paths = find_files([folder])[1]
    broken, checked = 0, []
    with stages() as progress:
        advance = progress("check", len(paths) * len(efforts))
        for (path, effort), result in check_pictures(
            paths, efforts, jobs=jobs or os.cpu_count() or 1
        ):
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
        rows = sorted(
            (asdict(each) for each in checked), key=lambda row: (row["effort"], row["name"])
        )
        write_json(rows, save)
    if broken:
        raise SystemExit(1)
