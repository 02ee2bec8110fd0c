"""`ncodec cut`: parts of .ncv files, without coding again."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ncodec.cli.console import STDIO, is_stream, name_outputs, say, say_notices, work_through
from ncodec.cli.options import EPILOG, output_options
from ncodec.cli.parameters import Seconds
from ncodec.cli.sniff import STREAM_SUFFIX


def check_stream_name(output: str | None, *, is_piped: bool) -> None:
    """Raise UsageError for no output, unless the input is standard input, and for a name of other
    files than streams."""
    if output is None and not is_piped:
        msg = "expected a name for the output: -o OUT.ncv, or -o - for standard output"
        raise click.UsageError(msg)
    path = Path(output or STDIO)
    is_place = path.exists() and not path.is_file()  # a folder or a device
    if path.suffix.lower() not in ("", STREAM_SUFFIX) and not is_place:
        msg = f"streams are {STREAM_SUFFIX} files, got {output} as -o"
        raise click.UsageError(msg)


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN")
@click.option(
    "--from",
    "start",
    type=Seconds(),
    help="Where the part begins, such as 12.5s or 1:02.5 (default: the start).",
)
@click.option(
    "--to", "end", type=Seconds(), help="Where the part ends, not included (default: the end)."
)
@output_options
def cut(
    source: str,
    start: float | None,
    end: float | None,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Copy a part of a .ncv file to another one, without coding anything again.

    The part begins with the last intra frame at or before --from and ends before the first one at
    or after --to. IN is a file, or - for standard input.
    """
    if start is None and end is None:
        msg = "expected --from, --to or both, got none"
        raise click.UsageError(msg)
    if end is not None and end <= (start or 0):
        msg = f"expected a --to after {start or 0:g} s, where the part begins, got {end:g} s"
        raise click.UsageError(msg)
    check_stream_name(output, is_piped=source == STDIO)
    pairs = list(zip([source], name_outputs([source], output, [STREAM_SUFFIX]), strict=True))

    def work(source: str, target: str) -> None:
        from ncodec.api.cut import cut_video

        stats = cut_video(source, target, start=start, end=end, overwrite=force)
        say_notices(source, stats.notices)
        fields: dict[str, Any] = {
            "input": source,
            "output": target,
            **asdict(stats),
            "duration": stats.duration,
        }
        line = (
            f"{source} → {target}  frames {stats.first} to {stats.first + stats.frames - 1}  "
            f"{stats.start:.3f} s to {stats.end:.3f} s  {stats.size:,} bytes"
        )
        say(fields, line, as_json=as_json, to_stderr=is_stream(target))

    work_through(pairs, "cut", work, as_json=as_json)
