"""`ncodec report`: codecs side by side in one page."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.eval.commands.console import (
    FILE_OUT,
    FOLDER,
    FOLDER_OUT,
    percent,
    stages,
    usage_errors,
)
from ncodec.optional import require_modules

if TYPE_CHECKING:
    from ncodec.eval.measure import Runner
    from ncodec.eval.report import Progress, Report

COPIES = "copies"
"""folder of the cache with copies of files behind URLs"""


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=FILE_OUT, default="report.html", show_default=True, help="The page."
)
@click.option("--data", type=FOLDER, help="Folder of a data set that is named (kodak).")
@click.option(
    "--codec",
    "codecs",
    multiple=True,
    help="Codec to include, by its name in the report; default: all.",
)
@click.option(
    "--cache",
    type=FOLDER_OUT,
    help="Folder of measured points and of copies of URLs; default: the user's cache folder.",
)
@click.option(
    "--figures",
    type=FOLDER_OUT,
    help="Also write curves (SVG, PNG), points (CSV) and rates (Markdown) here.",
)
@click.option(
    "--frames", type=click.IntRange(2), default=96, show_default=True, help="Most frames of a clip."
)
@click.option("--title", help="Heading of the page.")
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="Processes of this machine; default: all cores."
)
@click.option(
    "--ray",
    metavar="auto|ADDRESS",
    help="Measure points on a Ray cluster, the one at hand or that of an address; without speeds.",
)
@click.option("--quick", is_flag=True, help="Five points a codec, and PSNR alone.")
@click.option("-f", "--force", is_flag=True, help="Overwrite the page.")
@click.option("--json", "as_json", is_flag=True, help="Print BD-rates as JSON.")
def report(
    inputs: tuple[str, ...],
    output: Path,
    data: Path | None,
    codecs: tuple[str, ...],
    cache: Path | None,
    figures: Path | None,
    frames: int,
    title: str | None,
    jobs: int | None,
    ray: str | None,
    quick: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Compare codecs on pictures or clips, in one HTML page.

    INPUTS are pictures, clips, folders of either, or a data set's name with --data. URLs that
    fsspec opens, such as s3://bucket/folder, are files, glob patterns, or folders with all below.

    Points are kept between runs, so an interrupted or repeated run measures only what is missing.
    With --ray, crops and memory are still measured on this machine.
    """
    require_modules(
        "scipy", "skimage", "altair", "vl_convert", "jinja2", "platformdirs", extra="eval"
    )
    from ncodec.eval.measure import find_files
    from ncodec.eval.page import check_figures, render, write_figures
    from ncodec.eval.report import Run, choose_codecs, make_report
    from ncodec.eval.store import Store
    from ncodec.media.streams import check_output, write_bytes

    check_output(output, overwrite=force)
    if figures is not None:
        check_figures(figures, overwrite=force)
    kept = cache or _cache_folder()
    runner = _runner_of(ray)
    with stages() as progress:
        medium, paths = find_files(_input_paths(inputs, data, kept / COPIES, progress))
        kind = "Image" if medium.name == "pictures" else "Video"
        made = make_report(
            medium,
            paths,
            Run(Store(kept), jobs or os.cpu_count() or 1, quick, progress, runner),
            title=title or f"{kind} codecs on {', '.join(Path(name).name for name in inputs)}",
            codecs=choose_codecs(medium, codecs),
            frames=frames,
        )
    write_bytes(render(made).encode(), output, overwrite=force)
    names = [curve.name for curve in made.curves]
    anchor = next((name for name in names if name.startswith(("JPEG", "x264"))), names[0])
    if figures is not None:
        write_figures(made, figures, anchor=anchor, overwrite=force)
    _print_rates(made, output, anchor, as_json=as_json)


def _print_rates(made: "Report", output: Path, anchor: str, *, as_json: bool) -> None:
    """Print BD-rates against the anchor and of ncodec, by the medium's main metric."""
    rates = made.rate_differences(made.medium.main_metric).get(anchor, {})
    if as_json:
        fields = {"page": str(output), "anchor": anchor, "bd_rate_psnr": rates}
        click.echo(json.dumps(fields, ensure_ascii=False))
        return
    ours = made.rates_of_ours(made.medium.main_metric)
    click.echo(f"{'BD-rate':36}{'against ' + anchor:>28}{'of ncodec against it':>24}")
    for name in (curve.name for curve in made.curves):
        if name in rates or name in ours:
            of_both = f"{percent(rates.get(name, '–')):>28}{percent(ours.get(name, '–')):>24}"
            click.echo(f"{name:36}{of_both}")
    failed = len(made.failures)
    listed = f"; {failed} failed or left out, listed at its end" if failed else ""
    counted = f"{len(made.sources)} {made.medium.name}, {len(made.measured)} codecs measured"
    click.echo(f"{output}: {counted}{listed}")


def _runner_of(ray: str | None) -> "Runner | None":
    """Runner of tasks on the cluster that --ray names; raises UsageError where there is none."""
    if ray is None:
        return None
    with usage_errors():
        require_modules("ray", extra="ray")
        from ncodec.eval.cluster import join_cluster

        return join_cluster(ray)


def _input_paths(
    inputs: tuple[str, ...], data: Path | None, copies: Path, progress: "Progress"
) -> list[Path]:
    """Files and folders of the inputs, those of URLs in the folder `copies`.

    Raises UsageError where a data set's name and --data do not go together, and where a URL cannot
    be used.
    """
    from ncodec.eval.curves import data_sets
    from ncodec.eval.places import local_paths

    known = sorted(data_sets())
    if data is not None:
        if len(inputs) != 1 or inputs[0] not in known:
            msg = (
                f"--data goes with the name of one data set ({', '.join(known)}), got "
                f"{' '.join(inputs)}"
            )
            raise click.UsageError(msg)
        return [data]
    for name in inputs:
        if name in known and not Path(name).exists():
            msg = f"say with --data which folder holds the pictures of {name}"
            raise click.UsageError(msg)
    with usage_errors():
        return local_paths(inputs, copies, progress)


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("ncodec") / "results"
