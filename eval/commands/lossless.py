"""`ncodec bench lossless`: sizes and speeds of lossless coders."""

from pathlib import Path

import click

from ncodec.errors import InputError
from ncodec.eval.commands.console import NewFile, force_option, stages, write_json


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="FILE|FOLDER...",
    type=click.Path(exists=True, path_type=Path),
)  # fmt: skip
@click.option("--method", "methods", multiple=True, help="Coder to measure; default: all of them.")
@force_option
@click.option("--save", type=NewFile(".json"), help="File of all figures.")
def lossless(paths: tuple[Path, ...], methods: tuple[str, ...], save: Path | None) -> None:
    """Bits a byte and megabytes a second of ncodec's lossless methods, gzip, bzip2 and xz, and of
    zstd and brotli where they are installed, on files that all have to come back."""
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
    chosen = [known[name] for name in methods or known]
    with stages() as progress:
        found = measure_packers(files, chosen, advance=progress("pack", len(files) * len(chosen)))
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


def _files_of(path: Path) -> list[Path]:
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in found if file.is_file() and file.stat().st_size]
