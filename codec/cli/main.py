"""The `ncodec` command. Exit codes: 0 done, 1 something failed, 2 the command line was wrong."""

import io
import signal
import sys
import time
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import ncodec
from ncodec.cli.clips import ClipOptions, ClipTarget, decode_job, encode_job, info_job, parse_clip_target
from ncodec.cli.console import (
    STDIO,
    expand_inputs,
    is_stream,
    name_outputs,
    parse_suffix,
    parse_target,
    parse_tune,
    say,
    step_progress,
    work_through,
)
from ncodec.cli.parameters import Amount, Bytes, Seconds
from ncodec.cli.sniff import STREAM_SUFFIX, is_clip, is_coded_clip
from ncodec.errors import NcodecError
from ncodec.image.effort import DEFAULT_EFFORT, MAX_EFFORT
from ncodec.media.numbered import is_numbered

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ncodec.image.file import Encoded
    from ncodec.picture import Picture

EPILOG = "Exit codes: 0 done, 1 something failed, 2 the command line was wrong."


class Commands(click.Group):
    """The runtime's commands, and those that `ncodec.training` and `ncodec.eval` register as entry points."""

    @cached_property
    def _others(self) -> "dict[str, EntryPoint]":
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group="ncodec.commands")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help text."""
        return [*self.commands, *sorted(self._others)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported when it is asked for."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in self._others:
            return own
        command: click.Command = self._others[cmd_name].load()
        return command


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ncodec.__version__, prog_name="ncodec")
def cli() -> None:
    """Encode pictures to small .nci files and clips to .ncv files, and back, with a learned codec without PyTorch."""


def _backend_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option(
            "--backend",
            type=click.Choice(["onnx", "torch"]),
            default="onnx",
            show_default=True,
            help="Library that runs the networks; any of them decodes any file to the same symbols.",
        ),
        click.option("--threads", type=click.IntRange(1, 256), help="CPU threads (1 to 256; default: all cores)."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _output_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("-o", "--output", help="Output file, folder, or - for standard output."),
        click.option("-f", "--force", is_flag=True, help="Overwrite existing files."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _encoding_facts(loaded: "Picture", encoded: "Encoded", measured: float | None) -> dict[str, Any]:
    from ncodec.quality import qp_to_quality

    return {
        "width": loaded.width,
        "height": loaded.height,
        "bytes": len(encoded.data),
        "bpp": 8 * len(encoded.data) / (loaded.width * loaded.height),
        "quality": qp_to_quality(encoded.qp),
        "qp": encoded.qp,
        "exact": encoded.exact,
        "lossless": encoded.lossless,
        "psnr": None if measured == float("inf") else measured,  # JSON has no infinity
        "notices": list(loaded.notices),
    }


def _encoding_line(facts: dict[str, Any], measured: float | None) -> str:
    quality = "lossless" if facts["lossless"] else f"q {facts['quality']:g}"
    line = f"{facts['width']}×{facts['height']}  {facts['bytes']:,} bytes  {facts['bpp']:.3f} bpp  {quality}"
    if measured is None:
        return line
    return f"{line}  exact" if measured == float("inf") else f"{line}  {measured:.2f} dB"


@cli.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("-q", "--quality", type=click.FloatRange(0, 100), help="Quality, 0 to 100 (default 50).")
@click.option("--bpp", type=click.FloatRange(0, min_open=True), help="Largest file, in bits per pixel.")
@click.option("--size", type=Bytes(), help="Largest file, in bytes, such as 20k.")
@click.option("--psnr", type=click.FloatRange(0, min_open=True), help="Least PSNR over RGB, in dB.")
@click.option("--lossless", is_flag=True, help="Give every pixel back as it is.")
@click.option(
    "--effort",
    type=click.IntRange(0, MAX_EFFORT),
    help=f"Search longer and longer for a better picture of about this size (default {DEFAULT_EFFORT}, 0: do not).",
)
@click.option(
    "--tune",
    type=click.Choice(["psnr", "ssim"]),
    default="psnr",
    show_default=True,
    help="What pictures are best by: errors, or structure as of MS-SSIM.",
)
@click.option("--bitrate", type=Amount(), help="Clips: bits a second of the frames on average, such as 800k.")
@click.option("--gop", type=click.IntRange(1), help="Clips: most frames from one intra frame to the next.")
@click.option("--intra-only", is_flag=True, help="Clips: predict no frame from another.")
@click.option("--fps", type=click.FloatRange(0.01, 1000), help="Clips: frames a second of numbered pictures.")
@click.option("--model", help="Model name or id (default: the first that `ncodec models` lists).")
@click.option(
    "--strip",
    type=click.Choice(["thumbnail", "metadata"]),
    help="Leave out the thumbnail in EXIF, or all metadata but the ICC profile.",
)
@click.option("--measure", is_flag=True, help="Decode again and print the PSNR.")
@click.option("--allow-large", is_flag=True, help="Take pictures and frames that Pillow calls decompression bombs.")
@_backend_options
@_output_options
def encode(
    inputs: tuple[str, ...],
    quality: float | None,
    bpp: float | None,
    size: int | None,
    psnr: float | None,
    lossless: bool,
    effort: int | None,
    tune: str,
    bitrate: float | None,
    gop: int | None,
    intra_only: bool,
    fps: float | None,
    model: str | None,
    strip: str | None,
    measure: bool,
    allow_large: bool,
    backend: str,
    threads: int | None,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Encode pictures to .nci and clips to .ncv files, named after them unless -o says otherwise.

    IN is a picture that Pillow reads, a clip that FFmpeg reads, numbered pictures (frame-%04d.png), a glob pattern,
    or - for standard input. What is written to a .ncv file is read as a clip. -q, --bpp, --size, --psnr, --lossless and
    --bitrate exclude each other.
    """
    names = expand_inputs(inputs)
    clips = {name for name in names if is_clip(name, output)}
    if clips and output is not None and output.lower().endswith(".nci"):
        msg = f"clips become {STREAM_SUFFIX} files, got {output} as -o"
        raise click.UsageError(msg)
    clip_options = ClipOptions(bitrate, gop, intra_only, fps)
    tuned = {"--tune": None if tune == "psnr" else tune}
    clip_options.check(
        pictures=len(names) - len(clips),
        clips=len(clips),
        numbered=any(is_numbered(name) for name in names),
        quality=quality,
        size=size,
        for_pictures={
            "--bpp": bpp, "--psnr": psnr, "--effort": effort, "--model": model, "--lossless": lossless or None,
            "--strip": strip, **tuned,
        },
    )  # fmt: skip
    wanted = parse_target(quality, bpp, size, psnr, lossless=lossless) if len(clips) < len(names) else None
    model = parse_tune(tune, model, effort) if len(clips) < len(names) else None
    if output is None and any(is_numbered(name) for name in names):
        msg = "numbered pictures need a name for their clip as -o"
        raise click.UsageError(msg)
    suffixes = [STREAM_SUFFIX if name in clips else ".nci" for name in names]
    pairs = list(zip(names, name_outputs(names, output, suffixes), strict=True))

    def work(source: str, target: str) -> None:
        if source in clips or wanted is None:
            encode_job(
                source, target, clip_options, quality=quality, size=size, measure=measure, force=force,
                allow_large=allow_large, backend=backend, threads=threads, as_json=as_json,
            )  # fmt: skip
            return
        from ncodec.api.codecs import open_codec
        from ncodec.api.pictures import load_picture
        from ncodec.image.hidden import visible_psnr
        from ncodec.image.rate_target import encode_to
        from ncodec.media.exif import stripped
        from ncodec.media.streams import check_output, write_bytes

        check_output(target, overwrite=force, source=source)
        codec = open_codec(model, backend=backend, threads=threads)
        start = time.perf_counter()
        loaded = stripped(load_picture(source, allow_large=allow_large), strip)
        looking = codec.effort_for(loaded, effort)
        with step_progress("search", shown=looking > 0 and len(pairs) == 1) as watch:
            encoded = encode_to(codec, loaded, wanted, effort=looking, watch=watch)
        seconds = time.perf_counter() - start
        measured = visible_psnr(loaded, codec.decode(encoded.data).pixels) if measure else None
        write_bytes(encoded.data, target, overwrite=force)
        for notice in loaded.notices:
            click.echo(f"ncodec: {source}: {notice}", err=True)
        facts = _encoding_facts(loaded, encoded, measured)
        fields = {"input": source, "output": target, **facts, "seconds": seconds}
        line = f"{source} → {target}  {_encoding_line(facts, measured)}  {seconds:.2f} s"
        say(fields, line, as_json=as_json, to_stderr=is_stream(target))

    work_through(pairs, "encode", work, as_json=as_json)


@cli.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("--allow-large", is_flag=True, help="Take pictures beyond Pillow's limit against decompression bombs.")
@click.option("--to", help="Format of the outputs, as a suffix (default: that of -o, else png, or mp4 for clips).")
@click.option("--at", type=Seconds(), help="Clips: the frame that is shown at a time, such as 12.5s or 1:02.5.")
@click.option("--lossless", is_flag=True, help="Clips: write every pixel as it is (FFV1 in .mkv).")
@click.option("--conceal", is_flag=True, help="Clips: skip what is damaged, up to the next intra frame.")
@_backend_options
@_output_options
def decode(
    inputs: tuple[str, ...],
    to: str | None,
    at: float | None,
    lossless: bool,
    conceal: bool,
    allow_large: bool,
    backend: str,
    threads: int | None,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Decode .nci files to pictures and .ncv files to clips, named after them unless -o says otherwise.

    IN is a file, a glob pattern, or - for standard input. --to, or the suffix of -o, chooses among Pillow's formats for
    pictures, and among mp4, mov, mkv and y4m for clips; -o frame-%04d.png writes every frame of a clip.
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
    suffix = parse_suffix(named or STDIO, to) if len(clips) < len(names) else ""
    suffixes = [wanted.suffix if name in clips else suffix for name in names]
    pairs = list(zip(names, name_outputs(names, output, suffixes), strict=True))

    def work(source: str, target: str) -> None:
        if source in clips:
            decode_job(
                source, target, wanted, force=force, allow_large=allow_large, backend=backend, threads=threads,
                as_json=as_json,
            )  # fmt: skip
            return
        from ncodec.api.pictures import decode_container, read_container
        from ncodec.media.pictures import write_picture
        from ncodec.media.streams import check_output, write_bytes

        start = time.perf_counter()
        container = read_container(source, allow_large=allow_large)
        check_output(target, overwrite=force, source=source)
        header = container.header
        decoded = decode_container(container, backend=backend, threads=threads)
        data = write_picture(decoded, suffix)
        write_bytes(data, target, overwrite=force)
        seconds = time.perf_counter() - start
        fields = {
            "input": source,
            "output": target,
            "width": header.width,
            "height": header.height,
            "bytes": len(data),
            "seconds": seconds,
        }
        line = f"{source} → {target}  {header.width}×{header.height}  {len(data):,} bytes  {seconds:.2f} s"
        say(fields, line, as_json=as_json, to_stderr=is_stream(target))

    work_through(pairs, "decode", work, as_json=as_json)


@cli.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("--verify", is_flag=True, help="Also decode every symbol, which proves that the file is whole.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file.")
def info(inputs: tuple[str, ...], verify: bool, as_json: bool) -> None:
    """Print what .nci and .ncv files say of themselves; checksums are always verified."""
    names = expand_inputs(inputs)

    def work(source: str, _: str) -> None:
        if is_coded_clip(source):
            info_job(source, verify=verify, as_json=as_json)
            return
        from dataclasses import asdict

        from ncodec.api import pictures as api

        data = api.load_bytes(source)
        found = api.info(data)
        if verify:
            api.verify(data, allow_large=True)
        fields = {"input": source, **asdict(found), "verified": verify}
        chunks = ", ".join(f"{name} {size:,}" for name, size in found.chunks.items())
        quality = "lossless" if found.lossless else f"q {found.quality:g}"
        model = f"model {found.model}" if found.model else "no model"
        model += f", {found.exact:.0%} of it exact cells" if 0 < found.exact < 1 else ""
        line = (
            f"{source}  {found.width}×{found.height} {found.mode}  {found.size:,} bytes  {found.bpp:.3f} bpp  "
            f"{quality}  {model}  chunks: {chunks}"
        )
        say(fields, line + ("  verified" if verify else ""), as_json=as_json, to_stderr=False)

    work_through([(name, name) for name in names], "read", work, as_json=as_json)


@cli.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's entries as JSON.")
def models(as_json: bool) -> None:
    """List the installed models: id, complexity, size and measured quality."""
    from ncodec.inference.zoo import list_models

    entries = list_models()
    if as_json:
        import json

        click.echo(json.dumps(entries, indent=2))
        return
    wide = max(len(entry["name"]) for entry in entries)
    click.echo(f"{'id':8}  {'name':{wide}}  {'encode':>12}  {'decode':>12}  {'size':>7}  {'measured':26}  trained")
    for entry in entries:
        facts = entry["facts"]
        megabytes = sum(entry["bytes"].values()) / 1e6
        click.echo(
            f"{entry['id']}  {entry['name']:{wide}}  {facts['encode_kmac_per_pixel']:5.1f} kMAC/px  "
            f"{facts['decode_kmac_per_pixel']:5.1f} kMAC/px  {megabytes:4.1f} MB  "
            f"{_measured(facts):26}  {facts['summary']}"
        )


def _measured(facts: dict[str, Any], *, near_bpp: float = 0.5) -> str:
    """The point of the recorded curve that is nearest to a common rate."""
    if "rate_distortion" not in facts:
        return "-"
    curve = facts["rate_distortion"]
    bpp, psnr = min(curve["bpp_psnr"], key=lambda point: abs(point[0] - near_bpp))
    return f"{psnr:.1f} dB at {bpp:.2f} bpp, {curve['pictures']}"


def main() -> None:
    """Entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names and arrows must not fail on a narrow terminal
            stream.reconfigure(errors="replace")
    for name in ("SIGTERM", "SIGHUP"):  # so that half-written files are cleared away as after Ctrl-C
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    warnings.simplefilter("ignore")  # what matters of a damaged file is the error
    try:
        cli()
    except (NcodecError, OSError) as error:
        click.echo(f"ncodec: {error}", err=True)
        if isinstance(error, OSError) and sys.stdout is not None:
            from ncodec.media.streams import silence_stdout

            silence_stdout()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
