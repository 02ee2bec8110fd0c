"""`ncodec batch`: whole libraries of pictures and clips."""

import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.console import INTERRUPTED, printable, say, shows_progress, usage_errors
from ncodec.cli.decode import batch_decode_settings, decode
from ncodec.cli.encode import batch_encode_settings, encode
from ncodec.cli.options import EPILOG
from ncodec.cli.parameters import Bytes
from ncodec.cli.stream import batch_stream_settings, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ncodec.batch.run import Progress, Summary
    from ncodec.batch.task import Task

_SHARDS = "shards"
_SHOWN = 10
"""failures that are printed"""


@click.command(
    epilog=EPILOG,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.argument("others", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE TASK]")
@click.option(
    "--do",
    "kind",
    type=click.Choice(["encode", "decode", "stream", "copy"]),
    default="encode",
    show_default=True,
    help="Task; its options follow DST.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes (default: cores).")
@click.option(
    "--to",
    metavar="shards|FORMAT",
    help="shards: outputs go into tar files (WebDataset); else the format of --do decode.",
)
@click.option(
    "--per-shard",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Items of a shard.",
)
@click.option(
    "--split",
    type=click.FloatRange(min=0.5),
    metavar="SECONDS",
    help="Cut clips into parts of about this length, at cuts of the scene, for several workers.",
)
@click.option("--verify", is_flag=True, help="Decode every output of --do encode again.")
@click.option("--measure", is_flag=True, help="Decode outputs of --do encode for their PSNR.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the items that --measure measures.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    help="Seconds without progress after which a worker is stopped.",
)
@click.option(
    "--memory", type=Bytes(), help="Memory of a worker, such as 4G, at which it is stopped."
)
@click.option(
    "--ray",
    metavar="auto|ADDRESS",
    help="Work on a Ray cluster: the one at hand, or that of an address.",
)
@click.option("-f", "--force", is_flag=True, help="Do everything anew.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def batch(
    source: str,
    target: str,
    others: tuple[str, ...],
    kind: str,
    jobs: int | None,
    to: str | None,
    per_shard: int,
    split: float | None,
    verify: bool,
    measure: bool,
    sample: float,
    timeout: float,
    memory: int | None,
    ray: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Encode, decode, stream or copy every picture and clip of a library.

    SRC is a folder, a file, a tar shard, a glob pattern, a URL of these, or @FILE with a place on
    each line; DST is a folder or its URL. Options of `ncodec encode`, `decode` or `stream` follow
    DST. DST/manifest.parquet has a row for each item. A command that was stopped goes on when it is
    given again: items that are done are skipped.
    """
    if source.startswith("-") or target.startswith("-"):
        msg = "SRC and DST come before the options of the task"
        raise click.UsageError(msg)
    if to is not None and to != _SHARDS:
        others = (*others, "--to", to)
    if kind != "encode" and (verify or measure):
        msg = "--verify and --measure are for --do encode"
        raise click.UsageError(msg)
    if split is not None and (kind not in ("encode", "stream") or to == _SHARDS):
        msg = "--split is for --do encode and --do stream, whose outputs are files"
        raise click.UsageError(msg)
    task = _task(kind, others, split=split, measured=sample if measure else 0.0, verify=verify)
    from ncodec.batch.process import Limits
    from ncodec.batch.run import run_batch

    try:
        with usage_errors(), _bar() as progress:
            summary = run_batch(
                source,
                target,
                task,
                jobs=jobs,
                shards=per_shard if to == _SHARDS else None,
                limits=Limits(silence=timeout, memory=memory),
                ray=ray,
                overwrite=force,
                progress=progress,
            )
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    _say(source, summary, as_json=as_json)


def _task(
    kind: str,
    options: tuple[str, ...],
    *,
    split: float | None,
    measured: float,
    verify: bool,
) -> "Task":
    """Task by the options of its own command; raises UsageError where they do not fit."""
    from ncodec.batch.task import CopyTask, DecodeTask, EncodeTask, StreamTask

    if kind == "encode":
        pictures, clips = batch_encode_settings(_parsed(encode, options))
        with usage_errors():
            return EncodeTask(
                pictures=pictures, clips=clips, split=split, measured=measured, verify=verify
            )
    if kind == "decode":
        return DecodeTask(**batch_decode_settings(_parsed(decode, options)))
    if kind == "stream":
        return StreamTask(settings=batch_stream_settings(_parsed(stream, options)), split=split)
    if options:
        msg = f"--do copy has no options, got {options[0]}"
        raise click.UsageError(msg)
    return CopyTask()


def _parsed(command: click.Command, options: tuple[str, ...]) -> dict[str, Any]:
    """Values of a command's options."""
    if {"-o", "--output"} & {option.partition("=")[0] for option in options}:
        msg = "DST is the output of ncodec batch: -o has no use"
        raise click.UsageError(msg)
    context = command.make_context(command.name, [*options, "-o", ".", "--", "item"])
    return context.params


@contextmanager
def _bar() -> "Iterator[Callable[[Progress], None]]":
    """A bar with rate, bytes, mean bpp and the time that is left, where somebody looks."""
    if not shows_progress():
        yield lambda state: None
        return
    from rich import progress as rich
    from rich.console import Console

    bar = rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[facts]}"),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("batch", total=None, facts="")

    def update(state: "Progress") -> None:
        speed = bar.tasks[0].speed
        facts = [f"{state.bytes:,} bytes"]
        facts += [f"{speed:.1f}/s"] if speed else []
        facts += [f"{state.bpp:.3f} bpp"] if state.bpp is not None else []
        facts += [f"{state.failed} failed"] if state.failed else []
        facts += [f"parts {state.jobs_done}/{state.jobs}"] if state.jobs else []
        bar.update(task, completed=state.done, total=state.total, facts="  ".join(facts))

    with bar:
        yield update


def _say(source: str, summary: "Summary", *, as_json: bool) -> None:
    """Print what was done, and fail with a list where items failed."""
    parts = [f"{summary.done} done", f"{summary.skipped} skipped"]
    parts += [f"{len(summary.failures)} failed"] if summary.failures else []
    parts += [f"{summary.others} other files left out"] if summary.others else []
    parts.append(f"{summary.source_bytes:,} → {summary.bytes:,} bytes")
    parts += [f"{summary.bpp:.3f} bpp"] if summary.bpp is not None else []
    parts += [f"{summary.psnr:.2f} dB"] if summary.psnr is not None else []
    line = f"{source} → {summary.target}  {'  '.join(parts)}  {summary.seconds:.1f} s"
    fields = {"input": source, **asdict(summary)}
    say(fields, line, as_json=as_json, to_stderr=False)
    if not summary.failures:
        return
    for row in summary.failures[:_SHOWN]:
        click.echo(printable(f"ncodec: {row.item}: {row.error}"), err=True)
    rest = len(summary.failures) - _SHOWN
    where = f"; {rest} more are in {summary.manifest}" if rest > 0 else ""
    line = f"ncodec: {len(summary.failures)} of {summary.items} items failed{where}"
    click.echo(printable(line), err=True)
    sys.exit(1)
