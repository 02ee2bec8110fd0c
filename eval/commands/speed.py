"""`ncodec bench speed`: times beside a peer."""

import os
from itertools import product
from pathlib import Path

import click

from ncodec.errors import BackendError
from ncodec.eval.commands.console import open_picture, stages
from ncodec.quality import DEFAULT_EFFORT


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PYTHON",
    help="Python of another environment, whose ncodec is timed in turn with this one.",
)
def speed(picture: Path, threads: int, against: Path | None) -> None:
    """Time ncodec, with its usual effort and none, beside CompressAI's mbt2018-mean, and whole
    processes; or --against another ncodec, with peak memory."""
    # Before numpy is loaded, so that its own matrix products keep to the same threads.
    os.environ.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if against is not None:
        _print_against(picture, against, threads)
        return
    from ncodec.eval.speed import time_compressai, time_ncodec, time_processes

    image = open_picture(picture)
    click.echo(f"{image.width}×{image.height}, {threads} threads, medians")
    ours = [time_ncodec(image, effort=effort, threads=threads) for effort in (DEFAULT_EFFORT, 0)]
    try:
        peers = [time_compressai(image, threads=threads)]
    except BackendError as error:
        peers = []
        click.echo(str(error))
    for timed in (*ours, *peers):
        click.echo(
            f"{timed.name:24} encode {timed.encode_s * 1e3:7.0f} ms  decode "
            f"{timed.decode_s * 1e3:7.0f} ms"
        )
    for timed, peer in product(ours, peers):
        faster = (peer.encode_s / timed.encode_s, peer.decode_s / timed.decode_s)
        click.echo(
            f"ratio of {timed.name:15} encode {faster[0]:7.1f} ×   decode {faster[1]:7.1f} ×"
        )
    for name, seconds in time_processes(image).items():
        click.echo(f"{name:24} {seconds:.2f} s")


def _print_against(picture: Path, python: Path, threads: int) -> None:
    from ncodec.eval.against import compare_with, count_steps

    with stages() as progress:
        advance = progress("time", count_steps())
        found = compare_with(python, picture, threads=threads, advance=advance)
    click.echo(f"{'':34} {'this':>10} {'other':>10} {'ratio':>8}")
    for each in found:
        click.echo(f"{each.name:34} {each.ours:10.3f} {each.theirs:10.3f} {each.ratio:8.2f}")
