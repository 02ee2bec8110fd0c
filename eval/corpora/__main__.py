"""`python -m ncodec.eval.corpora FOLDER` writes the corpus."""

from pathlib import Path

import click

from ncodec.eval.corpora.files import available, write


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Replace files that exist.")
def main(folder: Path, photo: Path | None, force: bool) -> None:
    """Write every picture of the corpus as PNG; PHOTO is shown on a page."""
    paths = write(folder, available(photo), overwrite=force)
    click.echo(f"{len(paths)} pictures in {folder}")


main()
