"""Options, progress, numbers and files that the commands of evaluation share."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.errors import NcodecError

if TYPE_CHECKING:
    from PIL import Image

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FOLDER_OUT = click.Path(file_okay=False, path_type=Path)
FILE_IN = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE_OUT = click.Path(dir_okay=False, path_type=Path)


FORCE = "ncodec.force"
"""key of a command's context: whether files may be overwritten"""


class NewFile(click.Path):
    """A file that is written after long work, and refused before for its suffix, its folder, or
    because it exists."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn a name into a path; raises click.BadParameter where it cannot be written.

        The suffix has to be allowed, the folder to exist, and the file not to, unless -f is given.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self._suffixes:
            self.fail(
                f"expected a name that ends in {' or '.join(self._suffixes)}, got {path}",
                param,
                ctx,
            )
        if not path.parent.is_dir():
            self.fail(f"{path}: its folder does not exist", param, ctx)
        if path.exists() and not (ctx and ctx.meta.get(FORCE)):
            self.fail(f"{path}: exists; -f overwrites it", param, ctx)
        return path


def _remember_force(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[FORCE] = value


force_option = click.option(
    "-f",
    "--force",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_remember_force,
    help="Overwrite existing files.",
)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn what cannot be used into a wrong command line, with exit code 2."""
    try:
        yield
    except NcodecError as error:
        raise click.UsageError(str(error)) from error


def percent(rate: float | str) -> str:
    """A change as a table shows it, or the sentence in its place."""
    return rate if isinstance(rate, str) else f"{rate:+.1f} %"


@contextmanager
def stages() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Show progress bars on standard error; gives a function that starts one.

    It takes a title and a number of steps, and returns a function that advances the bar by so many
    steps as it is told.
    """
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:

        def start(stage: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(stage, total=total)
            return lambda count: bar.advance(task, count)

        yield start


def open_picture(picture: Path) -> "Image.Image":
    """A picture file as a Pillow image in RGB; alpha and metadata are dropped, and EXIF does not
    turn it. Raises InputError in one sentence."""
    import PIL.Image

    from ncodec.api.pictures import load_picture

    return PIL.Image.fromarray(load_picture(picture).pixels)


def write_json(document: object, path: Path) -> None:
    """Write a document as UTF-8, whole or not at all, in the place of an earlier file."""
    from ncodec.media.streams import write_bytes

    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_bytes(text.encode(), path, overwrite=True)
