"""Names of inputs and outputs, lines and JSON objects, progress and failures of all commands."""

import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import click

from ncodec.errors import NcodecError, NcodecWarning, sentence_of
from ncodec.media.numbered import is_numbered

STDIO = "-"
NO_THREAD = "can't start new thread"
"""Python's message for a lack of memory or of threads"""
_CONTROLS = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]"
)
"""C0, C1, Unicode's marks of direction and its ends of lines"""
INTERRUPTED = 130
"""exit code of what Ctrl-C ended"""


class ReportError(Exception):
    """A line about work that was done cannot be printed."""


def expand_inputs(inputs: tuple[str, ...]) -> list[str]:
    """Inputs with glob patterns replaced by the sorted names that match, for shells that expand
    none.

    Names of existing files and of image sequences, such as frame-%04d.png, stay as they are. Raises
    UsageError where a pattern matches nothing.
    """
    names: list[str] = []
    for name in inputs:
        is_pattern = (
            any(c in name for c in "*?[") and not Path(name).exists() and not is_numbered(name)
        )
        found = sorted(glob(name, recursive=True)) if is_pattern else [name]
        if not found:
            msg = f"no file matches {name}"
            raise click.UsageError(msg)
        names += found
    return names


def name_outputs(inputs: list[str], output: str | None, suffixes: list[str]) -> list[str]:
    """Path of the output of each input: beside it or in the folder `output`, with the input's entry
    of `suffixes`, such as ".nci", in place of its own suffix; or `output` itself for one input.

    "-" stays standard output, and is named stdin in a folder. Raises UsageError where several
    inputs have no folder, where a folder with / at its end does not exist, or where two outputs
    have one path.
    """
    if output is not None and output.endswith(("/", os.sep)) and not Path(output).is_dir():
        msg = f"there is no folder {output}"
        raise click.UsageError(msg)
    if len(inputs) > 1 and STDIO in inputs and (output is None or output == STDIO):
        msg = "- beside other inputs needs a folder as -o"
        raise click.UsageError(msg)
    if output is not None and output != STDIO and Path(output).is_dir():
        pairs = zip(inputs, suffixes, strict=True)
        names = [str(Path(output) / (Path(_stem_of(name)).name + suffix)) for name, suffix in pairs]
    elif output is not None:
        if len(inputs) > 1:
            msg = f"several inputs need a folder as -o, got {output}"
            raise click.UsageError(msg)
        names = [output]
    else:
        pairs = zip(inputs, suffixes, strict=True)
        names = [STDIO if name == STDIO else _stem_of(name) + suffix for name, suffix in pairs]
    places = [os.path.realpath(name) for name in names]
    twice = [name for name, place in zip(names, places, strict=True) if places.count(place) > 1]
    if twice:
        msg = f"two inputs would both be written to {min(twice)}"
        raise click.UsageError(msg)
    return names


def _stem_of(name: str) -> str:
    return "stdin" if name == STDIO else name.removesuffix(Path(name).suffix)


def printable(text: str) -> str:
    """Text whose characters that control a terminal, or turn the direction of writing, are escaped:
    names in files are anybody's."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _json_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def say(fields: dict[str, Any], line: str, *, as_json: bool, to_stderr: bool) -> None:
    """Print what was done: the line for people, or the fields as one JSON object.

    Raises ReportError where the line cannot be printed.
    """
    if as_json:
        line = json.dumps(fields, ensure_ascii=False)
    escaped = _CONTROLS.sub(_json_escape, line) if as_json else printable(line)
    try:
        click.echo(escaped, err=to_stderr)
    except OSError as error:
        msg = f"the report cannot be printed: {sentence_of(error)}"
        raise ReportError(msg) from error


def say_notices(source: str, notices: Iterable[str]) -> None:
    """Print notices of losses and conversions to standard error, a line for each."""
    for notice in notices:
        click.echo(printable(f"ncodec: {source}: {notice}"), err=True)


def shows_progress() -> bool:
    """Whether somebody looks at standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def _progress(count: int, verb: str) -> Iterator[Callable[[], None]]:
    """A bar over files on a terminal; nothing for one file or where nobody looks."""
    if count < 2 or not shows_progress():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb, total=count)
        yield lambda: bar.advance(task)


@contextmanager
def step_progress(verb: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that is called with the steps done and their number.

    It draws a bar on a terminal if `shown`, from its first call on.
    """
    if not (shown and shows_progress()):
        yield lambda done, steps: None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(verb, total=None)

    def update(done: int, steps: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=steps)

    try:
        yield update
    finally:
        bar.stop()


class ByteProgress:
    """Progress by sums of bytes, of the size of a file where that is known."""

    def __init__(self, update: Callable[[int, int], None], source: str | None) -> None:
        """`update` as `step_progress` yields it, and the path of the file or "-"."""
        self._update, self._done = update, 0
        path = Path(source) if source is not None and source != STDIO else None
        self._whole = path.stat().st_size if path is not None and path.is_file() else 0

    def __call__(self, done: int) -> None:
        """Add bytes that are done."""
        self._done += done
        if self._whole:
            self._update(min(self._done, self._whole), self._whole)


def work_through(
    pairs: list[tuple[str, str]],
    verb: str,
    work: Callable[[str, str], None],
    *,
    as_json: bool,
    others: Iterable[str] = (),
) -> None:
    """Call `work` with every pair of input and output, report failures in a sentence, go on, and
    exit with code 1 after all if some failed.

    Failures are NcodecError, MemoryError, OSError and a lack of threads; other exceptions pass.
    `as_json` prints a JSON object for each failure too. Where standard output can no longer be
    written, work goes on in silence, and the exit code is 1 unless its reader has only left. Ctrl-C
    exits with code 130 at once. `verb` labels the bar that several files have on a terminal.
    `others` are further files that a failure may name in place of its pair's.
    """
    failed, is_unheard = 0, False
    with _progress(len(pairs), verb) as advance, warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)  # the command prints notices itself
        for source, target in pairs:
            try:
                work(source, target)
            except ReportError as error:
                is_unheard |= _fall_silent(error)
            except (NcodecError, MemoryError, OSError, RuntimeError) as error:
                if (
                    not isinstance(error, NcodecError)
                    and isinstance(error, RuntimeError)
                    and str(error) != NO_THREAD
                ):
                    raise
                failed += 1
                _report(error, source, target, as_json=as_json, others=others)
            except KeyboardInterrupt:
                # Not by way of Python's own end, which waits for a thread that may hang on a pipe.
                os._exit(INTERRUPTED)
            advance()
    if failed and len(pairs) > 1:
        click.echo(f"ncodec: {failed} of {len(pairs)} files failed", err=True)
    if failed or is_unheard:
        sys.exit(1)


def _fall_silent(error: ReportError) -> bool:
    """Send further lines nowhere, and say why unless the reader of the lines has only left."""
    from ncodec.media.streams import silence_stdout

    silence_stdout()
    if isinstance(error.__cause__, BrokenPipeError):
        return False
    click.echo(printable(f"ncodec: {error}"), err=True)
    return True


def _report(
    error: Exception, source: str, target: str, *, as_json: bool, others: Iterable[str]
) -> None:
    sentence = str(error) if isinstance(error, NcodecError | OSError) else "not enough memory"
    if not sentence.startswith(tuple(f"{name}:" for name in (source, target, *others))):
        sentence = f"{'standard input' if source == STDIO else source}: {sentence}"
    click.echo(printable(f"ncodec: {sentence}"), err=True)
    if as_json:
        say({"input": source, "error": sentence}, "", as_json=True, to_stderr=target == STDIO)


def is_stream(target: str) -> bool:
    """Whether the output is a pipe or a device, whose reader wants the result and nothing else."""
    return target == STDIO or (Path(target).exists() and not Path(target).is_file())


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn what does not fit together into a wrong command line."""
    try:
        yield
    except NcodecError as error:
        raise click.UsageError(str(error)) from error


def parse_suffix(target: str, to: str | None) -> str:
    """Suffix of the output's format: --to, else that of the output's name, else .png."""
    from ncodec.media.picture_files import check_suffix

    suffix = (
        f".{to.lstrip('.')}" if to is not None else "" if target == STDIO else Path(target).suffix
    )
    with usage_errors():
        check_suffix(suffix or ".png")
    return suffix or ".png"
