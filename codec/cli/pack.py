"""`ncodec pack` and `ncodec unpack`: any files to .ncz and back, without loss."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.cli.console import (
    STDIO,
    ByteProgress,
    expand_inputs,
    is_stream,
    name_outputs,
    say,
    step_progress,
    work_through,
)
from ncodec.cli.options import EPILOG, output_options

if TYPE_CHECKING:
    from ncodec.api.lossless import PackStats

SUFFIX = ".ncz"
METHODS = ("fast", "max", "cmix", "nncp", "trace", "dzip", "xz", "deflate", "huffman", "store")
JOBS = click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Blocks of 32 MiB to work on at once.",
)


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="fast",
    show_default=True,
    help=(
        "fast: context mixing, or LZMA2 where that is smaller; max: more contexts, in twice the "
        "time; cmix, nncp, trace, dzip: networks, up to a minute a megabyte; xz: LZMA2; deflate; "
        "huffman: deflate without repeats; store: nothing. The first six need numba, to unpack too."
    ),
)
@JOBS
@output_options
def pack(
    inputs: tuple[str, ...],
    method: str,
    jobs: int,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Pack files of any kind into .ncz files, named after them with .ncz at the end.

    Every bit comes back. IN is a file, a glob pattern, or - for standard input. Names and times of
    files are kept.
    """
    names = expand_inputs(inputs)
    suffixes = [Path(name).suffix + SUFFIX for name in names]
    pairs = list(zip(names, name_outputs(names, output, suffixes), strict=True))

    def work(source: str, target: str) -> None:
        from ncodec.api.lossless import pack_file

        with step_progress("pack", shown=len(pairs) == 1) as update:
            progress = ByteProgress(update, source)
            stats = pack_file(
                source, target, method=method, jobs=jobs, overwrite=force, progress=progress
            )
        _say(source, target, stats, as_json=as_json, left=stats.packed)

    work_through(pairs, "pack", work, as_json=as_json)


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("--verify", is_flag=True, help="Check that files are whole, and write nothing.")
@JOBS
@output_options
def unpack(
    inputs: tuple[str, ...],
    verify: bool,
    jobs: int,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Unpack .ncz files, named after them without .ncz; a file of another name gets the one that it
    keeps.

    IN is a file, a glob pattern, or - for standard input. Files get the times that they had.
    """
    if verify and (output or force):
        msg = "--verify writes nothing: expected no -o or -f"
        raise click.UsageError(msg)
    names = expand_inputs(inputs)
    targets = names if verify else _unpacked_names(names, output)
    pairs = list(zip(names, targets, strict=True))

    def work(source: str, target: str) -> None:
        from ncodec.api.lossless import unpack_file

        with step_progress("unpack", shown=len(pairs) == 1) as update:
            stats = unpack_file(
                source,
                None if verify else target,
                jobs=jobs,
                overwrite=force,
                progress=ByteProgress(update, None),
            )
        _say(source, None if verify else target, stats, as_json=as_json, left=stats.size)

    work_through(pairs, "unpack", work, as_json=as_json)


def _unpacked_names(names: list[str], output: str | None) -> list[str]:
    """Paths without .ncz; for a file without it, the name that it keeps, or its own and
    .unpacked."""
    suffixes = [Path(name).suffix for name in names]
    after = ["" if suffix == SUFFIX else suffix + ".unpacked" for suffix in suffixes]
    found = name_outputs(names, output, after)
    if output is not None and not Path(output).is_dir():
        return found
    return [
        target if suffix == SUFFIX else _with_kept_name(name, target)
        for name, suffix, target in zip(names, suffixes, found, strict=True)
    ]


def _with_kept_name(source: str, target: str) -> str:
    from ncodec.api.lossless import kept_name

    kept = kept_name(source) if source != STDIO and Path(source).is_file() else ""
    return str(Path(target).with_name(kept)) if kept else target


def _say(source: str, target: str | None, stats: "PackStats", *, as_json: bool, left: int) -> None:
    fields = {
        "input": source,
        "output": target,
        "size": stats.size,
        "packed": stats.packed,
        "bits_per_byte": stats.bits_per_byte,
        "methods": list(stats.methods),
        "seconds": stats.seconds,
    }
    done = "is whole" if target is None else f"→ {target}"
    line = (
        f"{source} {done}  {left:,} bytes  {stats.bits_per_byte:.3f} bits a byte  "
        f"{', '.join(stats.methods) or 'empty'}  {stats.seconds:.2f} s"
    )
    say(fields, line, as_json=as_json, to_stderr=target is not None and is_stream(target))
