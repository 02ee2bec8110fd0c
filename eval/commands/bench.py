"""`ncodec bench`: the figures of the README, each printed by a command."""

import click

from ncodec.eval.commands.compare import compare
from ncodec.eval.commands.drift import drift
from ncodec.eval.commands.effort import effort
from ncodec.eval.commands.ladder import ladder
from ncodec.eval.commands.lossless import lossless
from ncodec.eval.commands.promises import promises
from ncodec.eval.commands.rd import rd
from ncodec.eval.commands.scale import scale
from ncodec.eval.commands.shrink import shrink
from ncodec.eval.commands.speed import speed
from ncodec.eval.commands.symbols import symbols
from ncodec.eval.commands.video import video


@click.group()
def bench() -> None:
    """Measure rate–distortion, speed and agreement between backends."""


for command in (
    compare,
    rd,
    effort,
    promises,
    video,
    drift,
    shrink,
    speed,
    symbols,
    lossless,
    ladder,
    scale,
):
    bench.add_command(command)
