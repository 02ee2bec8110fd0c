"""`ncodec bench lossless`: sizes and speeds of lossless coders."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.errors import InputError
from ncodec.eval.commands.console import NewFile, force_option, stages, write_json
from ncodec.optional import require_modules

if TYPE_CHECKING:
    from ncodec.eval.lossless import Packer, PackerFigures

OWN = "ncodec "
"""before the names of ncodec's methods"""


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="FILE|FOLDER...",
    type=click.Path(exists=True, path_type=Path),
)  # fmt: skip
@click.option(
    "--method", "methods", multiple=True, help="Coder to measure; default: all but networks."
)
@force_option
@click.option("--save", type=NewFile(".json"), help="File of all figures.")
@click.option("--page", type=NewFile(".html"), help="Page of tables and charts.")
def lossless(
    paths: tuple[Path, ...], methods: tuple[str, ...], save: Path | None, page: Path | None
) -> None:
    """Bits a byte and megabytes a second of ncodec's lossless methods, gzip, bzip2 and xz, and of
    zstd and brotli where they are installed, on files that all have to come back.

    A page also shows how coders learn, what ncodec's methods take to start and in memory, and what
    others published.
    """
    if page is not None:
        require_modules("altair", "vl_convert", "jinja2", extra="eval")
    from ncodec.eval.lossless import measure_packers, packers

    files = [file for path in paths for file in _files_of(path)]
    if not files:
        msg = "expected files with at least a byte, got none"
        raise InputError(msg)
    known = {packer.name: packer for packer in packers()}
    unknown = [name for name in methods if name not in known]
    if unknown:
        msg = f"expected coders among {', '.join(known)}, got {unknown[0]}"
        raise click.UsageError(msg)
    chosen = [known[name] for name in methods] or [one for one in known.values() if not one.is_slow]
    with stages() as progress:
        found = measure_packers(files, chosen, advance=progress("pack", len(files) * len(chosen)))
        if page is not None:
            _write_page(page, files, chosen, found, progress)
    size = sum(file.stat().st_size for file in files)
    click.echo(f"{len(files)} files, {size:,} bytes; bits a byte: mean over files, and of all")
    for figures in found:
        click.echo(
            f"{figures.name:15}  {figures.mean_bits:6.3f}  {figures.total_bits:6.3f}  pack "
            f"{figures.pack_rate:8.2f} MB/s  unpack {figures.unpack_rate:8.2f} MB/s"
        )
    if save is not None:
        rows = [vars(figures) for figures in found]
        write_json({"files": [file.name for file in files], "coders": rows}, save)


def _write_page(
    page: Path,
    files: list[Path],
    chosen: "list[Packer]",
    found: "list[PackerFigures]",
    progress: Callable[[str, int], Callable[[int], None]],
) -> None:
    from ncodec.eval.lossless import measure_footprint, measure_prefixes, prefix_sizes
    from ncodec.eval.lossless_page import LosslessReport, render
    from ncodec.eval.morse import morse_units
    from ncodec.eval.report import machine_facts
    from ncodec.media.streams import write_bytes

    sizes = [file.stat().st_size for file in files]
    largest = files[sizes.index(max(sizes))]
    steps = len(chosen) * len(prefix_sizes(max(sizes)))
    prefixes = measure_prefixes(largest, chosen, advance=progress("learn", steps))
    own = [one.name.removeprefix(OWN) for one in chosen if one.name.startswith(OWN)]
    advance = progress("start", len(own))
    footprints = []
    for method in own:
        footprints.append(measure_footprint(largest, method))
        advance(1)
    report = LosslessReport(
        tuple(file.name for file in files), tuple(sizes), tuple(found), tuple(prefixes),
        tuple(footprints),
        morse_units(largest.read_bytes()), machine_facts(1), f"{date.today():%d %B %Y}",
    )  # fmt: skip
    write_bytes(render(report).encode(), page, overwrite=True)


def _files_of(path: Path) -> list[Path]:
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in found if file.is_file() and file.stat().st_size]
