"""`ncodec stream`: a clip to a ladder of renditions that players switch between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.console import say, say_notices, shows_progress, usage_errors, work_through
from ncodec.cli.options import EPILOG, strict_option
from ncodec.errors import InputError

if TYPE_CHECKING:
    from ncodec.api.ladder import Stage, StreamSettings, StreamStats

_VERBS = {
    "survey": "look at",
    "probe": "probe",
    "sound": "code the sound of",
    "encode": "encode",
    "ncv": "encode .ncv of",
    "measure": "measure",
    "live": "stream",
}
"""stage → verb before the clip's name"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the stream.")
@click.option(
    "--codecs",
    default="h264,av1",
    show_default=True,
    metavar="LIST",
    help="Of h264, hevc, av1 and ncv, with commas.",
)
@click.option(
    "--ladder",
    default="auto",
    show_default=True,
    metavar="auto|fixed|FILE",
    help="Sizes and rates: by probes of the clip, usual ones, or rungs in YAML.",
)
@click.option(
    "--rungs",
    type=click.IntRange(1, 12),
    help="Most of a codec (default: 6, or all of a ladder in YAML).",
)
@click.option(
    "--max-height",
    type=click.IntRange(2, 16384),
    help="Most pixels of the shorter side (default: those of the clip).",
)
@click.option(
    "--target-vmaf",
    type=click.FloatRange(20, 100),
    default=93,
    show_default=True,
    help="Quality of the top rung of --ladder auto.",
)
@click.option(
    "--segment",
    type=click.FloatRange(0.5, 30),
    default=4,
    show_default=True,
    help="Seconds of a segment; it may end at a cut nearby.",
)
@click.option(
    "--speed",
    type=click.Choice(["fast", "medium", "slow"]),
    default="medium",
    show_default=True,
    help="Presets of the encoders.",
)
@click.option(
    "--audio", default="aac,opus", show_default=True, metavar="LIST", help="Of aac and opus."
)
@click.option(
    "--downscale",
    type=click.Choice(["sharp", "lanczos", "learned"]),
    default="sharp",
    show_default=True,
    help="Filter of small rungs: sharp adds a little sharpening, learned is slow.",
)
@click.option("--tone-map", is_flag=True, help="Of an HDR clip, make H.264 in BT.709 too.")
@click.option(
    "--grain",
    type=click.IntRange(0, 50),
    default=0,
    show_default=True,
    help="Film grain that AV1 takes out and players put back: its strength.",
)
@click.option(
    "--measure", is_flag=True, help="Measure the quality of every rung, for the report too."
)
@click.option(
    "--live",
    is_flag=True,
    help="IN is still being written: segments appear as they are done (fixed ladder).",
)
@click.option(
    "--window",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Of a live clip, how much the playlists list (default: all).",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Segments at once (default: cores).")
@click.option("-f", "--force", is_flag=True, help="Replace the stream in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@strict_option
def stream(
    source: str,
    output: str,
    force: bool,
    as_json: bool,
    strict: bool,
    codecs: str,
    audio: str,
    **options: Any,
) -> None:
    """Make a ladder of renditions of a clip, with playlists of HLS, a manifest of DASH, and a page
    that plays it.

    IN is a file of video, or - for standard input. A command that was stopped goes on when it is
    given again.
    """
    from ncodec.api.ladder import StreamSettings
    from ncodec.api.ladder import stream as make

    with usage_errors():
        settings = StreamSettings(codecs=_list(codecs), audio=_list(audio), **options)

    def work(source: str, target: str) -> None:
        start = time.perf_counter()
        with _stage_progress(source) as progress:
            stats = make(
                source, target, settings=settings, overwrite=force, strict=strict, progress=progress
            )
        _say(source, stats, seconds=time.perf_counter() - start, as_json=as_json)
        if stats.damage is not None:
            msg = f"{stats.damage}; what could be read was coded"
            raise InputError(msg)

    work_through([(source, output)], "stream", work, as_json=as_json)


def batch_stream_settings(options: dict[str, Any]) -> "StreamSettings":
    """Settings by the options of `ncodec stream`; raises UsageError."""
    from ncodec.api.ladder import StreamSettings

    names = ("ladder", "rungs", "max_height", "target_vmaf", "segment", "speed", "downscale",
             "tone_map", "grain", "measure")  # fmt: skip
    if options["live"] or options["window"] is not None:
        msg = "--live is for a clip that is still being written, not for a library"
        raise click.UsageError(msg)
    with usage_errors():
        return StreamSettings(
            codecs=_list(options["codecs"]),
            audio=_list(options["audio"]),
            **{name: options[name] for name in names},
        )


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _say(source: str, stats: "StreamStats", *, seconds: float, as_json: bool) -> None:
    say_notices(source, (notice for notice in stats.notices if notice != stats.damage))
    kinds = dict.fromkeys(rendition["kind"] for rendition in stats.renditions)
    ladders = []
    for kind in kinds:
        own = [rendition for rendition in stats.renditions if rendition["kind"] == kind]
        rates = "/".join(f"{rung['average_bandwidth'] / 1000:.0f}" for rung in own)
        heights = "/".join(str(min(rung["width"], rung["height"])) for rung in own)
        ladders.append(f"{kind} {heights} at {rates} kbit/s")
    frames, segments = _count(stats.frames, "frame"), _count(stats.segments, "segment")
    line = (
        f"{source} → {stats.folder}  {frames}  {stats.seconds:.2f} s  {segments}  "
        f"{'  '.join(ladders)}  {stats.size:,} bytes  {seconds:.1f} s"
    )
    fields = {"input": source, "output": stats.folder, **asdict(stats), "elapsed": seconds}
    say(fields, line, as_json=as_json, to_stderr=False)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


@contextmanager
def _stage_progress(source: str) -> Iterator["Stage | None"]:
    """A bar for each stage, with the time that is left, where somebody looks."""
    if not shows_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def update(stage: str, done: int, total: int | None) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(f"{_VERBS.get(stage, stage)} {Path(source).name}")
        bar.update(tasks[stage], completed=done, total=None if total is None else max(total, done))

    with bar:
        yield update
