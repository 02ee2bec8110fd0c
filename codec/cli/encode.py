"""`ncodec encode`: pictures to .nci files and clips to .ncv files."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.clips import encode_clip_file
from ncodec.cli.console import (
    expand_inputs,
    is_stream,
    name_outputs,
    say,
    say_notices,
    step_progress,
    usage_errors,
    work_through,
)
from ncodec.cli.options import (
    EPILOG,
    backend_options,
    clip_options,
    output_options,
    strict_option,
    target_options,
)
from ncodec.cli.sniff import STREAM_SUFFIX, is_clip
from ncodec.media.numbered import is_numbered
from ncodec.quality import DEFAULT_EFFORT, MAX_EFFORT

if TYPE_CHECKING:
    from ncodec.api.pictures import PictureStats
    from ncodec.api.settings import EncodeSettings, EncodeVideoSettings

FOR_CLIPS = {"bitrate": "--bitrate", "gop": "--gop", "intra_only": "--intra-only", "fps": "--fps"}
FOR_PICTURES = {
    "bpp": "--bpp",
    "psnr": "--psnr",
    "lossless": "--lossless",
    "effort": "--effort",
    "tune": "--tune",
    "model": "--model",
    "strip": "--strip",
    "page": "--page",
}
PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".jxl", ".png", ".tif", ".tiff", ".webp"}
)
"""suffixes that a coded picture must not have"""
COMMON = ("allow_large", "strict", "backend", "threads")


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@target_options
@click.option(
    "--effort",
    type=click.IntRange(0, MAX_EFFORT),
    help=(
        f"Search longer and longer for a better picture of about this size (default "
        f"{DEFAULT_EFFORT}, 0: do not)."
    ),
)
@click.option(
    "--tune",
    type=click.Choice(["psnr", "ssim"]),
    help="What pictures are best by: errors (the default), or structure as of MS-SSIM.",
)
@clip_options
@click.option(
    "--model",
    help=(
        "Model: name, id, or path of its folder or .ncmodel file (default: the first that `ncodec "
        "models` lists)."
    ),
)
@click.option(
    "--strip",
    type=click.Choice(["thumbnail", "metadata"]),
    help=(
        "Leave out the thumbnail in EXIF, or all metadata but the ICC profile and the orientation."
    ),
)
@click.option(
    "--page", type=click.IntRange(1), help="Page or frame of a picture file that has several."
)
@click.option("--measure", is_flag=True, help="Decode again and print the PSNR.")
@click.option(
    "--allow-large",
    is_flag=True,
    help="Take pictures and frames that Pillow calls decompression bombs.",
)
@strict_option
@backend_options
@output_options
def encode(
    inputs: tuple[str, ...],
    output: str | None,
    force: bool,
    as_json: bool,
    measure: bool,
    **options: Any,
) -> None:
    """Encode pictures to .nci and clips to .ncv files, named after them unless -o says otherwise.

    IN is a picture that Pillow reads, a clip that FFmpeg reads, numbered pictures (frame-%04d.png),
    a glob pattern, or - for standard input. What is written to a .ncv file is read as a clip. -q,
    --bpp, --size, --psnr, --lossless and --bitrate exclude each other.
    """
    names = expand_inputs(inputs)
    clips = {name for name in names if is_clip(name, output)}
    _check_output_name(names, clips, output)
    _check_options(options, pictures=len(names) - len(clips), clips=clips)
    pictures = _picture_settings(options) if len(clips) < len(names) else None
    of_clips = _clip_settings(options) if clips else None
    suffixes = [STREAM_SUFFIX if name in clips else ".nci" for name in names]
    pairs = list(zip(names, name_outputs(names, output, suffixes), strict=True))

    def work(source: str, target: str) -> None:
        if of_clips is not None and source in clips:
            encode_clip_file(
                source, target, of_clips, measure=measure, overwrite=force, as_json=as_json
            )
        elif pictures is not None:
            _encode_picture_file(
                source,
                target,
                pictures,
                measure=measure,
                overwrite=force,
                as_json=as_json,
                alone=len(pairs) == 1,
            )

    work_through(pairs, "encode", work, as_json=as_json)


def _check_output_name(names: list[str], clips: set[str], output: str | None) -> None:
    """Raise UsageError for a name that does not suit clips, or image sequences without one."""
    if clips and output is not None and output.lower().endswith(".nci"):
        msg = f"clips become {STREAM_SUFFIX} files, got {output} as -o"
        raise click.UsageError(msg)
    is_picture = output is not None and Path(output).suffix.lower() in PICTURES
    if is_picture and len(clips) < len(names) and output not in names:
        msg = f"pictures become .nci files, got {output} as -o"
        raise click.UsageError(msg)
    if output is None and any(is_numbered(name) for name in names):
        msg = "numbered pictures need a name for their clip as -o"
        raise click.UsageError(msg)


def _check_options(options: dict[str, Any], *, pictures: int, clips: set[str]) -> None:
    """Raise UsageError where options do not fit the inputs or each other."""
    given = [flag for name, flag in FOR_CLIPS.items() if _is_given(options[name])]
    if pictures and given:
        msg = f"{given[0]} is for clips: name the output .ncv if the input is one"
        raise click.UsageError(msg)
    if not clips:
        return
    foreign = [flag for name, flag in FOR_PICTURES.items() if _is_given(options[name])]
    if foreign:
        msg = f"{foreign[0]} is for pictures: clips take -q, --bitrate or --size"
        raise click.UsageError(msg)
    quality, fps = options["quality"], options["fps"]
    if sum(value is not None for value in (quality, options["size"], options["bitrate"])) > 1:
        msg = "-q, --bitrate and --size exclude each other"
        raise click.UsageError(msg)
    if fps is not None and not any(is_numbered(name) for name in clips):
        msg = "--fps is for numbered pictures: clips have their own"
        raise click.UsageError(msg)
    if any(value is not None and math.isnan(value) for value in (quality, fps)):
        msg = "expected a number for -q and --fps, got none"
        raise click.UsageError(msg)
    if options["intra_only"] and options["gop"] is not None:
        msg = "--intra-only and --gop exclude each other"
        raise click.UsageError(msg)


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != "psnr"


def _picture_settings(options: dict[str, Any]) -> "EncodeSettings":
    """The settings that the options name; raises UsageError where they conflict or are out of
    range."""
    targets = ("quality", "bpp", "size", "psnr")
    if sum(options[name] is not None for name in targets) + options["lossless"] > 1:
        msg = "-q, --bpp, --size, --psnr and --lossless exclude each other"
        raise click.UsageError(msg)
    from ncodec.api.settings import EncodeSettings
    from ncodec.quality import LOSSLESS

    names = (*targets, "effort", "model", "strip", "page", *COMMON)
    chosen = {name: options[name] for name in names} | (
        {"quality": LOSSLESS} if options["lossless"] else {}
    )
    with usage_errors():
        return EncodeSettings(tune=options["tune"] or "psnr", **chosen)


def _clip_settings(options: dict[str, Any]) -> "EncodeVideoSettings":
    from ncodec.api.settings import EncodeVideoSettings

    names = ("quality", "bitrate", "size", "gop", "intra_only", *COMMON)
    with usage_errors():
        return EncodeVideoSettings(rate=options["fps"], **{name: options[name] for name in names})


def batch_encode_settings(
    options: dict[str, Any],
) -> "tuple[EncodeSettings | None, EncodeVideoSettings | None]":
    """Settings of pictures and of clips by the options of `ncodec encode`, for inputs of both
    kinds; None for those where an option asks for what they do not have. Raises UsageError."""
    if options["fps"] is not None:
        msg = "--fps is for numbered pictures, which are pictures to ncodec batch"
        raise click.UsageError(msg)
    of_pictures = [name for name in ("bpp", "psnr", "lossless") if _is_given(options[name])]
    of_clips = options["bitrate"] is not None
    if of_pictures and of_clips:
        msg = f"{FOR_PICTURES[of_pictures[0]]} is for pictures and --bitrate for clips: give one"
        raise click.UsageError(msg)
    return (
        None if of_clips else _picture_settings(options),
        None if of_pictures else _clip_settings(options),
    )


def _encode_picture_file(
    source: str,
    target: str,
    settings: "EncodeSettings",
    *,
    measure: bool,
    overwrite: bool,
    as_json: bool,
    alone: bool,
) -> None:
    """Encode one picture and say so."""
    from ncodec.api.pictures import encode_file

    with step_progress("search", shown=alone) as progress:
        stats = encode_file(
            source, target, settings, measure=measure, overwrite=overwrite, progress=progress
        )
    say_notices(source, stats.notices)
    fields = {"input": source, "output": target, **_fields(stats), "seconds": stats.seconds}
    line = f"{source} → {target}  {_line(stats)}  {stats.seconds:.2f} s"
    say(fields, line, as_json=as_json, to_stderr=is_stream(target))


def _fields(stats: "PictureStats") -> dict[str, Any]:
    return {
        "width": stats.width,
        "height": stats.height,
        "bytes": stats.size,
        "bpp": stats.bpp,
        "quality": stats.quality,
        "qp": stats.qp,
        "exact": stats.exact,
        "lossless": stats.lossless,
        "psnr": None if stats.psnr == math.inf else stats.psnr,  # JSON has no infinity
        "notices": list(stats.notices),
    }


def _line(stats: "PictureStats") -> str:
    quality = "lossless" if stats.lossless else f"q {stats.quality:g}"
    line = f"{stats.width}×{stats.height}  {stats.size:,} bytes  {stats.bpp:.3f} bpp  {quality}"
    if stats.psnr is None:
        return line
    return f"{line}  exact" if stats.psnr == math.inf else f"{line}  {stats.psnr:.2f} dB"
