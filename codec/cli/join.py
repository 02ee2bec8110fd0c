"""`ncodec join`: one .ncv file of several, without coding again."""

from dataclasses import asdict

import click

from ncodec.cli.console import (
    STDIO,
    expand_inputs,
    is_stream,
    say,
    say_notices,
    work_through,
)
from ncodec.cli.cut import check_stream_name
from ncodec.cli.options import EPILOG, output_options


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@output_options
def join(inputs: tuple[str, ...], output: str | None, force: bool, as_json: bool) -> None:
    """Copy .ncv files, one behind another, to one .ncv file, without coding anything again.

    They must be alike, as parts of one file are: size, models, colours, kinds of sound and
    subtitles. IN is a file, a glob pattern, or - for standard input.
    """
    names = expand_inputs(inputs)
    if names.count(STDIO) > 1:
        msg = "- is standard input, which can be joined once"
        raise click.UsageError(msg)
    check_stream_name(output, is_piped=False)

    def work(source: str, target: str) -> None:
        from ncodec.api.join import join_videos

        stats = join_videos(names, target, overwrite=force)
        say_notices(target, stats.notices)
        fields = {"inputs": names, "output": target, **asdict(stats)}
        line = (
            f"{', '.join(names)} → {target}  {stats.frames} frames  {stats.duration:.3f} s  "
            f"{stats.size:,} bytes"
        )
        say(fields, line, as_json=as_json, to_stderr=is_stream(target))

    pairs = [(names[0], output or STDIO)]
    work_through(pairs, "join", work, as_json=as_json, others=[*names, "standard input"])
