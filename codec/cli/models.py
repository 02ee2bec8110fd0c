"""`ncodec models`: the installed models."""

import json
from typing import Any

import click

from ncodec.cli.options import EPILOG


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's entries as JSON.")
def models(as_json: bool) -> None:
    """List the installed models: id, complexity, size and measured quality."""
    from ncodec.api.models import list_models

    entries = list_models()
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    wide = max(len(entry["name"]) for entry in entries)
    click.echo(
        f"{'id':8}  {'name':{wide}}  {'encode':>12}  {'decode':>12}  {'size':>7}  {'measured':26}  "
        f"trained"
    )
    for entry in entries:
        facts = entry["facts"]
        megabytes = sum(entry["bytes"].values()) / 1e6
        click.echo(
            f"{entry['id']}  {entry['name']:{wide}}  {facts['encode_kmac_per_pixel']:5.1f} kMAC/px "
            f" "
            f"{facts['decode_kmac_per_pixel']:5.1f} kMAC/px  {megabytes:4.1f} MB  "
            f"{_measured(facts):26}  {facts['summary']}"
        )


def _measured(facts: dict[str, Any], *, near_bpp: float = 0.5) -> str:
    """The point of the recorded curve that is nearest to a common rate."""
    if "rate_distortion" not in facts:
        return "-"
    curve = facts["rate_distortion"]
    bpp, psnr = min(curve["bpp_psnr"], key=lambda point: abs(point[0] - near_bpp))
    return f"{psnr:.1f} dB at {bpp:.2f} bpp, {curve['pictures']}"
