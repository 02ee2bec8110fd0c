"""`ncodec models`: the installed models, and how others come and go."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ncodec.cli.console import printable
from ncodec.cli.options import EPILOG

if TYPE_CHECKING:
    from ncodec.api.models import Found


@click.group(epilog=EPILOG, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print what is known of them as JSON.")
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the installed models: id, complexity, size, measured quality and place.

    Models are looked for in the package, in the folders of NCODEC_MODELS and in the user's folder.
    The path of a model's folder or .ncmodel file does in place of a name.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ncodec.api.models import Found, find_models

    installed = []
    for found in find_models():
        if isinstance(found, Found):
            installed.append(found)
        else:
            click.echo(printable(f"ncodec: {found}"), err=True)
    if as_json:
        fields = [{**found.entry, "place": _place(found)} for found in installed]
        click.echo(json.dumps(fields, indent=2))
    else:
        _print_table(installed)


@models.command(epilog=EPILOG)
@click.argument("source", metavar="FOLDER|FILE|URL")
@click.option("--sha256", metavar="HEX", help="SHA-256 that the .ncmodel file must have.")
@click.option("-f", "--force", is_flag=True, help="Replace another model of the same id.")
def add(source: str, sha256: str | None, force: bool) -> None:
    """Copy a model into the user's folder, where every command finds it.

    It is a folder that `ncodec export` wrote, a .ncmodel file that `ncodec models pack` wrote, or
    the URL of one. It is checked first: nothing of a model is executed.
    """
    from ncodec.api.models import add_model

    found = add_model(source, sha256=sha256, overwrite=force)
    click.echo(f"{found.folder}: {_title(found)}")


@models.command(epilog=EPILOG)
@click.argument("model", metavar="NAME|ID")
def remove(model: str) -> None:
    """Remove a model from the user's folder; files that need it cannot be decoded then."""
    from ncodec.api.models import remove_model

    click.echo(f"{remove_model(model)}: removed")


@models.command(epilog=EPILOG)
def verify() -> None:
    """Check hashes, weights, tables and graphs of every model that is found."""
    from ncodec.api.models import Found, verify_models

    failed = 0
    for found in verify_models():
        if isinstance(found, Found):
            click.echo(f"{_title(found)}  whole  {_place(found)}")
        else:
            failed += 1
            click.echo(printable(f"ncodec: {found}"), err=True)
    if failed:
        sys.exit(1)


@models.command(epilog=EPILOG)
@click.argument("model", metavar="NAME|ID|FOLDER")
@click.option("-o", "--output", required=True, metavar="FILE", help="File to write, .ncmodel.")
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing file.")
def pack(model: str, output: str, force: bool) -> None:
    """Write a model as a single file, for `ncodec models add` elsewhere."""
    from ncodec.api.models import pack_model

    found, digest = pack_model(model, output, overwrite=force)
    click.echo(f"{output}: {_title(found)}, SHA-256 {digest}")


def _title(found: "Found") -> str:
    return f"model {found.entry['name']} ({found.entry['id']})"


def _place(found: "Found") -> str:
    return "package" if found.packaged else str(found.folder)


def _print_table(installed: "list[Found]") -> None:
    wide = max(len(found.entry["name"]) for found in installed)
    summaries = [found.entry["facts"].get("summary", "") for found in installed]
    last = max(map(len, summaries))
    click.echo(
        f"{'id':8}  {'name':{wide}}  {'encode':>12}  {'decode':>12}  {'size':>7}  {'measured':26}  "
        f"{'trained':{last}}  place"
    )
    for found, summary in zip(installed, summaries, strict=True):
        entry, facts = found.entry, found.entry["facts"]
        megabytes = sum(entry["bytes"].values()) / 1e6
        click.echo(
            f"{entry['id']}  {entry['name']:{wide}}  {facts['encode_kmac_per_pixel']:5.1f} kMAC/px "
            f" {facts['decode_kmac_per_pixel']:5.1f} kMAC/px  {megabytes:4.1f} MB  "
            f"{_measured(facts):26}  {summary:{last}}  {_place(found)}"
        )
        for name, decoder in entry.get("decoders", {}).items():
            click.echo(
                f"{'':8}  {'--decoder ' + name:{wide + 14}}  "
                f"{decoder['decode_kmac_per_pixel']:5.1f} kMAC/px  {_lost(decoder)}"
            )


def _lost(decoder: dict[str, Any]) -> str:
    """PSNR that a decoder loses on the crops that were held out when it was made."""
    decibels = [lost for _, lost in decoder["lost_db"]]
    return f"{min(decibels):.2f} to {max(decibels):.2f} dB lost" if decibels else "-"


def _measured(facts: dict[str, Any], *, near_bpp: float = 0.5) -> str:
    """The point of the recorded curve that is nearest to a common rate."""
    if "rate_distortion" not in facts:
        return "-"
    curve = facts["rate_distortion"]
    bpp, psnr = min(curve["bpp_psnr"], key=lambda point: abs(point[0] - near_bpp))
    return f"{psnr:.1f} dB at {bpp:.2f} bpp, {curve['pictures']}"
