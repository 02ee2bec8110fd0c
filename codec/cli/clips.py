"""What the command does with clips: their options, one file at a time, and a bar with frames a second."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.console import STDIO, is_stream, parse_suffix, say, shows_progress
from ncodec.errors import InputError, TruncatedError
from ncodec.media.numbered import is_numbered

if TYPE_CHECKING:
    from ncodec.api.transcode import VideoFacts, Watch


@dataclass(frozen=True)
class ClipOptions:
    """Options of `ncodec encode` that concern clips alone."""

    bitrate: float | None
    gop: int | None
    intra_only: bool
    fps: float | None

    def check(
        self,
        *,
        pictures: int,
        clips: int,
        numbered: bool,
        quality: float | None,
        size: int | None,
        for_pictures: dict[str, object],
    ) -> None:
        """Raise UsageError where options do not fit the inputs or each other."""
        own = {"--bitrate": self.bitrate, "--gop": self.gop, "--intra-only": self.intra_only or None, "--fps": self.fps}
        given = [name for name, value in own.items() if value is not None]
        if pictures and given:
            msg = f"{given[0]} is for clips: name the output .ncv if the input is one"
            raise click.UsageError(msg)
        foreign = [name for name, value in for_pictures.items() if value is not None]
        if clips and foreign:
            msg = f"{foreign[0]} is for pictures: clips take -q, --bitrate or --size"
            raise click.UsageError(msg)
        if sum(value is not None for value in (quality, size, self.bitrate)) > 1:
            msg = "-q, --bitrate and --size exclude each other"
            raise click.UsageError(msg)
        if clips and self.fps is not None and not numbered:
            msg = "--fps is for numbered pictures: clips have their own"
            raise click.UsageError(msg)
        if clips and any(value is not None and math.isnan(value) for value in (quality, self.fps)):
            msg = "expected a number for -q and --fps, got none"
            raise click.UsageError(msg)
        if self.intra_only and self.gop is not None:
            msg = "--intra-only and --gop exclude each other"
            raise click.UsageError(msg)


@dataclass(frozen=True)
class ClipTarget:
    """What frames of a stream become."""

    suffix: str
    at: float | None
    numbered: bool
    """every frame as a picture"""
    lossless: bool
    conceal: bool

    def check(self, *, pictures: int) -> None:
        """Raise UsageError where options do not fit the inputs."""
        given = {"--at": self.at is not None, "--lossless": self.lossless, "--conceal": self.conceal}
        if self.lossless and (self.at is not None or self.numbered):
            msg = "--lossless is for clips, not for pictures of one: PNG is lossless"
            raise click.UsageError(msg)
        if pictures and any(given.values()):
            msg = f"{next(name for name, value in given.items() if value)} is for clips, which .ncv files hold"
            raise click.UsageError(msg)


def parse_clip_target(
    output: str | None, to: str | None, *, at: float | None, lossless: bool, conceal: bool
) -> ClipTarget:
    """What streams become: by --at or a numbered name pictures, else clips as --to or the output's name says, or .mp4.

    Raises UsageError for what is not written.
    """
    numbered = at is None and output is not None and is_numbered(output)
    if at is not None or numbered:
        return ClipTarget(parse_suffix(output or STDIO, to), at, numbered, lossless, conceal)
    from ncodec.media.mux import SEEKING_SUFFIXES, check_clip_suffix

    default = ".mp4" if output is None else ".y4m" if output == STDIO else Path(output).suffix
    suffix = f".{to.lstrip('.')}" if to is not None else default
    try:
        check_clip_suffix(suffix, lossless=lossless)
    except InputError as error:
        msg = f"{error}; --at or a numbered name (frame-%04d.png) gives pictures"
        raise click.UsageError(msg) from error
    if output == STDIO and suffix.lower() in SEEKING_SUFFIXES:
        msg = f"expected y4m or mkv for standard output, got {suffix[1:]}, which has to be gone over again"
        raise click.UsageError(msg)
    return ClipTarget(suffix, at, numbered, lossless, conceal)


def encode_job(
    source: str,
    target: str,
    options: ClipOptions,
    *,
    quality: float | None,
    size: int | None,
    measure: bool,
    force: bool,
    allow_large: bool,
    backend: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Code a clip and say so."""
    from ncodec.api.clips import encode_video
    from ncodec.media.streams import check_output

    check_output(target, overwrite=force, source=source)
    start = time.perf_counter()
    with _watching(source, "encode") as watch:
        facts = encode_video(
            source, target, quality=quality, bitrate=options.bitrate, size=size, gop=options.gop,
            intra_only=options.intra_only, rate=options.fps, measure=measure, overwrite=force,
            allow_large=allow_large, backend=backend, threads=threads, watch=watch,
        )  # fmt: skip
    _say(source, target, facts, seconds=time.perf_counter() - start, as_json=as_json)


def decode_job(
    source: str,
    target: str,
    wanted: ClipTarget,
    *,
    force: bool,
    allow_large: bool,
    backend: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Decode a stream to a clip, to one picture, or to numbered pictures, and say so; raises where it was cut."""
    from ncodec.api import clips as clip_api
    from ncodec.api.clips import OpenOptions
    from ncodec.media.streams import check_output

    check_output(target, overwrite=force, source=source)
    options = OpenOptions(conceal=wanted.conceal, allow_large=allow_large, backend=backend, threads=threads)
    start = time.perf_counter()
    with _watching(source, "decode") as watch:
        if wanted.at is not None:
            facts = clip_api.decode_frame(
                source, target, at=wanted.at, suffix=wanted.suffix, overwrite=force, **options
            )
        elif wanted.numbered:
            facts = clip_api.decode_frames(source, target, overwrite=force, watch=watch, **options)
        else:
            facts = clip_api.decode_video(
                source, target, suffix=wanted.suffix, lossless=wanted.lossless, overwrite=force, watch=watch, **options
            )
    _say(source, target, facts, seconds=time.perf_counter() - start, as_json=as_json)
    if facts.cut is not None:
        msg = f"{facts.cut}; what stands before that was decoded"
        raise TruncatedError(msg)


def info_job(source: str, *, verify: bool, as_json: bool) -> None:
    """Say what a stream says of itself."""
    from ncodec.api.clip_info import video_info

    found = video_info(source, verify=verify)
    fields = {"input": source, **asdict(found), "verified": verify}
    rate = f"{found.rate:.4g} fps"
    line = (
        f"{source}  {found.width}×{found.height}  {found.frames} frames  {found.duration:.2f} s  {rate}  "
        f"{found.size:,} bytes  intra {found.intra}, predicted {found.predicted}, repeated {found.repeated}  "
        f"models {found.picture_model}, {found.frame_model or '-'}  sound and subtitles {found.media_size:,} bytes"
    )
    say(fields, line + ("  verified" if verify else ""), as_json=as_json, to_stderr=False)


def _say(source: str, target: str, facts: "VideoFacts", *, seconds: float, as_json: bool) -> None:
    for notice in facts.notices:
        click.echo(f"ncodec: {source}: {notice}", err=True)
    fields: dict[str, Any] = {"input": source, "output": target, **asdict(facts), "seconds": seconds}
    line = f"{source} → {target}  {facts.width}×{facts.height}  {facts.frames} frames"
    if facts.bitrate is not None:
        fields["bitrate"] = facts.bitrate
        line += f"  {facts.size:,} bytes  {facts.bitrate / 1000:.1f} kbit/s"
    if facts.psnr is not None:
        line += f"  {facts.psnr:.2f} dB"
    line += f"  {seconds:.2f} s  {facts.frames / seconds:.1f} fps"
    say(fields, line, as_json=as_json, to_stderr=is_stream(target))


@contextmanager
def _watching(source: str, verb: str) -> Iterator["Watch | None"]:
    """A bar with frames a second and bytes so far, where somebody looks."""
    if not shows_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.description}", "{task.completed} frames", "{task.fields[speed]}", "{task.fields[size]}")
    bar = Progress(
        *map(TextColumn, columns), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    with bar:
        task = bar.add_task(f"{verb} {Path(source).name}", total=None, speed="", size="")
        start = time.perf_counter()

        def watch(frames: int, size: int, total: int | None) -> None:
            speed = f"{frames / (time.perf_counter() - start):.1f} fps"
            # The number of frames that a file gives is not always right.
            most = None if total is None else max(total, frames)
            bar.update(task, completed=frames, total=most, speed=speed, size=f"{size / 1000:,.0f} kB")

        yield watch
