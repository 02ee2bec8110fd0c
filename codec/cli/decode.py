"""`ncodec decode`: .nci files to pictures and .ncv files to clips."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.clips import ClipTarget, decode_clip_file, parse_clip_target
from ncodec.cli.console import (
    STDIO,
    expand_inputs,
    is_stream,
    name_outputs,
    parse_suffix,
    say,
    say_notices,
    work_through,
)
from ncodec.cli.options import EPILOG, backend_options, output_options, strict_option
from ncodec.cli.parameters import Seconds
from ncodec.cli.sniff import is_coded_clip
from ncodec.media.numbered import CLIP_SUFFIXES
from ncodec.quality import FULL

if TYPE_CHECKING:
    from ncodec.api.settings import DecodeSettings


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option(
    "--allow-large",
    is_flag=True,
    help="Take pictures beyond Pillow's limit against decompression bombs.",
)
@click.option(
    "--to",
    help="Format of the outputs, as a suffix (default: that of -o, else png, or mp4 for clips).",
)
@click.option(
    "--at",
    type=Seconds(),
    help="Clips: the frame that is shown at a time, such as 12.5s or 1:02.5.",
)
@click.option("--lossless", is_flag=True, help="Clips: write every pixel as it is (FFV1 in .mkv).")
@click.option(
    "--conceal", is_flag=True, help="Clips: skip what is damaged, up to the next intra frame."
)
@click.option(
    "--decoder",
    default=FULL,
    show_default=True,
    metavar="NAME",
    help=(
        "Pictures: network that makes pixels of symbols; smaller ones, as `ncodec shrink` makes "
        "them, take less time and lose some PSNR (`ncodec models` lists them)."
    ),
)
@strict_option
@backend_options
@output_options
def decode(
    inputs: tuple[str, ...],
    to: str | None,
    at: float | None,
    lossless: bool,
    conceal: bool,
    output: str | None,
    force: bool,
    as_json: bool,
    allow_large: bool,
    strict: bool,
    decoder: str,
    backend: str,
    threads: int | None,
) -> None:
    """Decode .nci files to pictures and .ncv files to clips, named after them unless -o says
    otherwise.

    IN is a file, a glob pattern, or - for standard input. --to, or the suffix of -o, chooses among
    Pillow's formats for pictures, and among mp4, mov, mkv and y4m for clips; -o frame-%04d.png
    writes every frame of a clip.
    """
    names = expand_inputs(inputs)
    clips = {name for name in names if is_coded_clip(name)}
    named = output if output is not None and not Path(output).is_dir() else None
    wanted = (
        parse_clip_target(named, to, at=at, lossless=lossless, conceal=conceal)
        if clips
        else ClipTarget("", at, False, lossless, conceal)
    )
    wanted.check(pictures=len(names) - len(clips))
    if clips and decoder != FULL:
        msg = f"--decoder {decoder}: clips are decoded by {FULL} alone, because every frame is "
        msg += "predicted from frames as their encoder saw them"
        raise click.UsageError(msg)
    suffix = parse_suffix(named or STDIO, to) if len(clips) < len(names) else ""
    suffixes = [wanted.suffix if name in clips else suffix for name in names]
    pairs = list(zip(names, name_outputs(names, output, suffixes), strict=True))

    def work(source: str, target: str) -> None:
        from ncodec.api.settings import DecodeSettings, DecodeVideoSettings, Options

        options = Options(backend=backend, threads=threads, allow_large=allow_large, strict=strict)
        if source in clips:
            of_clip = DecodeVideoSettings(**options, conceal=wanted.conceal)
            decode_clip_file(source, target, wanted, of_clip, overwrite=force, as_json=as_json)
        else:
            of_picture = DecodeSettings(**options, decoder=decoder)
            _decode_picture_file(
                source, target, of_picture, suffix=suffix, overwrite=force, as_json=as_json
            )

    work_through(pairs, "decode", work, as_json=as_json)


def batch_decode_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Fields of `DecodeTask` by the options of `ncodec decode`, for inputs of both kinds; raises
    UsageError."""
    from ncodec.api.settings import DecodeSettings, DecodeVideoSettings, Options

    if options["at"] is not None:
        msg = "--at is for single frames, which ncodec batch does not decode"
        raise click.UsageError(msg)
    shared = Options(
        backend=options["backend"], allow_large=options["allow_large"], strict=options["strict"]
    )
    to = options["to"]
    is_clip = to is not None and f".{to.lstrip('.')}".lower() in CLIP_SUFFIXES
    lossless, named = options["lossless"], to if is_clip else None
    clip = parse_clip_target(None, named, at=None, lossless=lossless, conceal=False)
    return {
        "pictures": DecodeSettings(**shared, decoder=options["decoder"]),
        "clips": DecodeVideoSettings(**shared, conceal=options["conceal"]),
        "picture_suffix": parse_suffix(STDIO, None if is_clip else to),
        "clip_suffix": clip.suffix,
        "lossless": lossless,
    }


def _decode_picture_file(
    source: str,
    target: str,
    settings: "DecodeSettings",
    *,
    suffix: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Decode one picture and say so."""
    from ncodec.api.pictures import decode_file

    start = time.perf_counter()
    stats = decode_file(source, target, settings, suffix=suffix, overwrite=overwrite)
    seconds = time.perf_counter() - start
    say_notices(source, stats.notices)
    fields = {
        "input": source,
        "output": target,
        "width": stats.width,
        "height": stats.height,
        "bytes": stats.size,
        "decoder": settings.decoder,
        "notices": list(stats.notices),
        "seconds": seconds,
    }
    line = (
        f"{source} → {target}  {stats.width}×{stats.height}  {stats.size:,} bytes  {seconds:.2f} s"
        + f"  decoder {settings.decoder}" * (settings.decoder != FULL)
    )
    say(fields, line, as_json=as_json, to_stderr=is_stream(target))
