"""The `ncodec` command. Exit codes: 0 done, 1 something failed, 2 the command line was wrong."""

import io
import signal
import sys
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

import click

import ncodec
from ncodec.cli.batch import batch
from ncodec.cli.console import printable
from ncodec.cli.cut import cut
from ncodec.cli.decode import decode
from ncodec.cli.encode import encode
from ncodec.cli.info import info
from ncodec.cli.join import join
from ncodec.cli.models import models
from ncodec.cli.options import EPILOG
from ncodec.cli.pack import pack, unpack
from ncodec.cli.stream import stream
from ncodec.cli.tensors import tensors
from ncodec.errors import NcodecError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Commands(click.Group):
    """The runtime's commands, and those that `ncodec.training` and `ncodec.eval` register as entry
    points."""

    @cached_property
    def _others(self) -> "dict[str, EntryPoint]":
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group="ncodec.commands")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help text."""
        return [*self.commands, *sorted(self._others)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None; commands of `ncodec.training` and `ncodec.eval` are
        imported only here."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in self._others:
            return own
        command: click.Command = self._others[cmd_name].load()
        return command


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ncodec.__version__, prog_name="ncodec")
def cli() -> None:
    """Encode pictures to small .nci files and clips to .ncv files, and back, with a learned codec
    without PyTorch; pack any files and tensors."""


for command in (encode, decode, info, cut, join, stream, batch, models, pack, unpack, tensors):
    cli.add_command(command)


def main() -> None:
    """Run the command of `sys.argv`: the entry point of `ncodec`.

    Exits with code 0 if all was done, 1 if something failed, 2 for a wrong command line, and 130
    where work on files was interrupted by Ctrl-C, SIGTERM or SIGHUP.
    """
    for output in (sys.stdout, sys.stderr):
        if isinstance(
            output, io.TextIOWrapper
        ):  # names and arrows must not fail on a narrow terminal
            output.reconfigure(errors="replace")
    for name in (
        "SIGTERM",
        "SIGHUP",
    ):  # so that half-written files are cleared away as after Ctrl-C
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    # The error of a damaged file matters, not the warnings before it.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        cli()
    except (NcodecError, OSError) as error:
        click.echo(printable(f"ncodec: {error}"), err=True)
        if isinstance(error, OSError) and sys.stdout is not None:
            from ncodec.media.streams import silence_stdout

            silence_stdout()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
