"""Clips on the command line: one file at a time, and a bar with frames a second."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.console import (
    STDIO,
    is_stream,
    parse_suffix,
    say,
    say_notices,
    shows_progress,
)
from ncodec.errors import InputError, TruncatedError
from ncodec.media.numbered import is_numbered

if TYPE_CHECKING:
    from ncodec.api.settings import DecodeVideoSettings, EncodeVideoSettings
    from ncodec.api.transcode import ClipStats, Progress
    from ncodec.api.video_index import VideoIndex


@dataclass(frozen=True)
class ClipTarget:
    """Output of `ncodec decode` for a stream."""

    suffix: str
    at: float | None
    numbered: bool
    """every frame as a picture"""
    lossless: bool
    conceal: bool

    def check(self, *, pictures: int) -> None:
        """Raise click.UsageError where options do not fit the inputs: `lossless` for pictures of a
        clip, or any option of clips where `pictures`, the number of inputs that are not .ncv files,
        is above 0."""
        given = {
            "--at": self.at is not None,
            "--lossless": self.lossless,
            "--conceal": self.conceal,
        }
        if self.lossless and (self.at is not None or self.numbered):
            msg = "--lossless is for clips, not for pictures of one: PNG is lossless"
            raise click.UsageError(msg)
        if pictures and any(given.values()):
            msg = (
                f"{next(name for name, value in given.items() if value)} is for clips, which .ncv "
                f"files hold"
            )
            raise click.UsageError(msg)


def parse_clip_target(
    output: str | None, to: str | None, *, at: float | None, lossless: bool, conceal: bool
) -> ClipTarget:
    """Output of .ncv files by -o (`output`) and --to (`to`): one picture for `at`, in seconds,
    pictures for a numbered name as -o, else a clip.

    The format of a clip is `to`, else the suffix of `output`, .mp4 if it is None, .y4m if it is
    "-". Raises click.UsageError for a format that is not written, and for .mp4, .m4v or .mov on
    standard output.
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
        msg = (
            f"expected y4m or mkv for standard output, got {suffix[1:]}, which has to be gone over "
            f"again"
        )
        raise click.UsageError(msg)
    return ClipTarget(suffix, at, numbered, lossless, conceal)


def encode_clip_file(
    source: str,
    target: str,
    settings: "EncodeVideoSettings",
    *,
    measure: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Code the clip `source` into the .ncv file `target`, with a progress bar on a terminal, and
    print its stats as a line, or as a JSON object if `as_json`.

    Raises InputError, FormatError, ModelError, BackendError or OutputError as `encode_video` does.
    """
    from ncodec.api.clips import encode_video
    from ncodec.media.streams import check_output

    check_output(target, overwrite=overwrite, source=source)
    start = time.perf_counter()
    with _clip_progress(source, "encode") as progress:
        stats = encode_video(
            source,
            target,
            settings=settings,
            measure=measure,
            overwrite=overwrite,
            progress=progress,
        )
    _say(source, target, stats, seconds=time.perf_counter() - start, as_json=as_json)
    if stats.damage is not None:
        msg = f"{stats.damage}; what could be read was coded"
        raise InputError(msg)


def decode_clip_file(
    source: str,
    target: str,
    wanted: ClipTarget,
    settings: "DecodeVideoSettings",
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Decode the .ncv file `source` into `target` as a clip, one picture or numbered pictures, as
    `wanted` says, and print its stats as a line, or as a JSON object if `as_json`.

    Raises InputError, FormatError, ModelError, BackendError or OutputError as `decode_video` does,
    and TruncatedError for a cut file, after what it holds was written.
    """
    from ncodec.media.streams import check_output

    check_output(target, overwrite=overwrite, source=source)
    start = time.perf_counter()
    with _clip_progress(source, "decode") as progress:
        stats = _decode(source, target, wanted, settings, overwrite=overwrite, progress=progress)
    _say(source, target, stats, seconds=time.perf_counter() - start, as_json=as_json)
    if stats.damage is not None:
        msg = f"{stats.damage}; what stands before that was decoded"
        raise TruncatedError(msg)


def _decode(
    source: str,
    target: str,
    wanted: ClipTarget,
    settings: "DecodeVideoSettings",
    *,
    overwrite: bool,
    progress: "Progress | None",
) -> "ClipStats":
    from ncodec.api import clips as api

    if wanted.at is not None:
        return api.decode_frame(
            source,
            target,
            at=wanted.at,
            suffix=wanted.suffix,
            overwrite=overwrite,
            settings=settings,
        )
    if wanted.numbered:
        return api.decode_frames(
            source, target, overwrite=overwrite, settings=settings, progress=progress
        )
    return api.decode_video(
        source,
        target,
        suffix=wanted.suffix,
        lossless=wanted.lossless,
        overwrite=overwrite,
        settings=settings,
        progress=progress,
    )


def show_clip_info(
    source: str, *, verify: bool, index: bool, allow_large: bool, as_json: bool
) -> None:
    """Say what a stream says of itself, and where its intra frames are if `index`."""
    from ncodec.api.clip_info import video_info
    from ncodec.api.video_index import video_index
    from ncodec.media.rereadable import Rereadable

    if index:
        with Rereadable(source) as rereadable:
            with rereadable.open() as stream:
                found = video_info(stream, verify=verify, allow_large=allow_large)
            with rereadable.open() as stream:
                places = video_index(stream)
    else:
        found, places = video_info(source, verify=verify, allow_large=allow_large), None
    fields = {"input": source, **asdict(found), "verified": verify}
    if places is not None:
        fields["index"] = asdict(places)
    rate = f"{found.rate:.4g} fps"
    line = (
        f"{source}  {found.width}×{found.height}  {found.frames} frames  {found.duration:.2f} s  "
        f"{rate}  "
        f"{found.size:,} bytes  intra {found.intra}, predicted {found.predicted}, duplicates "
        f"{found.duplicates}  "
        f"models {found.picture_model}, {found.frame_model or '-'}  sound and subtitles "
        f"{found.media_size:,} bytes"
    )
    if found.metadata.chapters:
        line += f"  chapters {len(found.metadata.chapters)}"
    if found.metadata.tags:
        line += f"  tags {', '.join(name for name, _ in found.metadata.tags)}"
    say(fields, line + ("  verified" if verify else ""), as_json=as_json, to_stderr=False)
    if places is not None and not as_json:
        _say_index(source, places)


def _say_index(source: str, found: "VideoIndex") -> None:
    sizes = f"header {found.header_size:,} bytes, with tracks and metadata {found.start_size:,}"
    say({}, f"{source}  {sizes}", as_json=False, to_stderr=False)
    for intra in found.intra:
        line = (
            f"{source}  frame {intra.frame}  {intra.time:.3f} s  {intra.frames} frames in "
            f"{intra.size:,} bytes from byte {intra.offset:,}"
        )
        say({}, line, as_json=False, to_stderr=False)


def _say(source: str, target: str, stats: "ClipStats", *, seconds: float, as_json: bool) -> None:
    say_notices(source, (notice for notice in stats.notices if notice != stats.damage))
    fields: dict[str, Any] = {
        "input": source,
        "output": target,
        **asdict(stats),
        "seconds": seconds,
    }
    line = f"{source} → {target}  {stats.width}×{stats.height}  {stats.frames} frames"
    if stats.bitrate is not None:
        fields["bitrate"] = stats.bitrate
        line += f"  {stats.size:,} bytes  {stats.bitrate / 1000:.1f} kbit/s"
    if stats.psnr is not None:
        line += f"  {stats.psnr:.2f} dB"
    line += f"  {seconds:.2f} s  {stats.frames / seconds:.1f} fps"
    say(fields, line, as_json=as_json, to_stderr=is_stream(target))


@contextmanager
def _clip_progress(source: str, verb: str) -> Iterator["Progress | None"]:
    """A bar with frames a second and bytes so far, where somebody looks."""
    if not shows_progress():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        "{task.description}",
        "{task.completed} frames",
        "{task.fields[speed]}",
        "{task.fields[size]}",
    )
    bar = Progress(
        *map(TextColumn, columns),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(f"{verb} {Path(source).name}", total=None, speed="", size="")
        start = time.perf_counter()

        def update(frames: int, size: int, total: int | None) -> None:
            speed = f"{frames / (time.perf_counter() - start):.1f} fps"
            # The number of frames that a file gives is not always right.
            most = None if total is None else max(total, frames)
            bar.update(
                task, completed=frames, total=most, speed=speed, size=f"{size / 1000:,.0f} kB"
            )

        yield update
