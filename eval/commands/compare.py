"""`ncodec bench compare`: one picture beside JPEG."""

import io
from pathlib import Path

import click

from ncodec.eval.commands.console import NewFile, force_option, open_picture


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-q", "--quality", type=click.FloatRange(0, 100), default=30, show_default=True)
@click.option("-o", "--output", type=NewFile(".png"), help="Also write a side-by-side PNG.")
@force_option
def compare(picture: Path, quality: float, output: Path | None) -> None:
    """One picture beside JPEG at the same size: bits, PSNR and times."""
    import numpy as np

    from ncodec.eval import compare as comparison
    from ncodec.media.streams import write_bytes

    image = open_picture(picture)
    results = comparison.compare(image, quality=quality)
    click.echo(f"{picture}  {image.width}×{image.height}")
    for result in results:
        click.echo(
            f"{result.name:7} {result.size:9,} bytes  {result.bpp:.3f} bpp  {result.psnr:.2f} dB  "
            f"encode {result.encode_s * 1e3:.0f} ms  decode {result.decode_s * 1e3:.0f} ms"
        )
    if output:
        drawn = io.BytesIO()
        comparison.side_by_side(np.asarray(image), results).save(drawn, "PNG")
        write_bytes(drawn.getvalue(), output, overwrite=True)
        click.echo(f"side by side: {output}")
