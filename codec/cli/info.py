"""`ncodec info`: the headers of .nci, .ncv, .ncz and .nct files."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.cli.clips import show_clip_info
from ncodec.cli.console import expand_inputs, say, work_through
from ncodec.cli.options import EPILOG, LIKE
from ncodec.cli.sniff import is_coded_clip, is_packed, is_tensors
from ncodec.errors import InputError

if TYPE_CHECKING:
    from ncodec.api.pictures import Info


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option(
    "--verify", is_flag=True, help="Also decode every symbol, which proves that the file is whole."
)
@click.option(
    "--allow-large",
    is_flag=True,
    help="Verify pictures and frames beyond Pillow's limit against decompression bombs.",
)
@click.option(
    "--index", is_flag=True, help="Clips: also number, time and bytes of every intra frame."
)
@LIKE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file.")
def info(
    inputs: tuple[str, ...],
    verify: bool,
    allow_large: bool,
    index: bool,
    like: str | None,
    as_json: bool,
) -> None:
    """Print what .nci, .ncv, .ncz and .nct files say of themselves; checksums are always verified,
    those of tensors only with --verify."""
    names = expand_inputs(inputs)
    if index and not all(map(is_coded_clip, names)):
        msg = "--index is for clips, which .ncv files hold"
        raise click.UsageError(msg)

    def work(source: str, _: str) -> None:
        if is_packed(source):
            _show_packed_info(source, verify=verify, as_json=as_json)
        elif is_tensors(source):
            _show_tensors_info(source, verify=verify, like=like, as_json=as_json)
        elif is_coded_clip(source):
            show_clip_info(
                source, verify=verify, index=index, allow_large=allow_large, as_json=as_json
            )
        else:
            _show_picture_info(source, verify=verify, allow_large=allow_large, as_json=as_json)

    work_through([(name, name) for name in names], "read", work, as_json=as_json)


def _show_packed_info(source: str, *, verify: bool, as_json: bool) -> None:
    from ncodec.api import lossless as api

    if verify:
        if not Path(source).is_file():
            msg = f"{source}: --verify of a .ncz file reads it twice: expected a regular file"
            raise InputError(msg)
        api.unpack_file(source, None)
    found = api.packed_info(source)
    fields = {"input": source, **asdict(found), "verified": verify}
    line = (
        f"{source}  {found.size:,} bytes packed into {found.packed:,}  "
        f"{', '.join(found.methods) or 'empty'}" + f"  was {found.name}" * bool(found.name)
    )
    say(fields, line + ("  verified" if verify else ""), as_json=as_json, to_stderr=False)


def _show_tensors_info(source: str, *, verify: bool, like: str | None, as_json: bool) -> None:
    from ncodec.api import tensors as api

    with api.open_tensors(source, like=like) as file:
        if verify:
            for name in file:
                file[name]
        found = file.infos()
        size = sum(tensor.size for tensor in file.reader.tensors().members)
    forms = {form: sum(one.form == form for one in found) for form in api.FORMS.values()}
    fields = {"input": source, "tensors": len(found), "size": size, "packed": file.size, **forms}
    said = ", ".join(f"{count} {form}" for form, count in forms.items() if count)
    line = f"{source}  {size:,} bytes packed into {file.size:,}  tensors: {said or 'none'}"
    line += "  verified" * verify
    say({**fields, "verified": verify}, line, as_json=as_json, to_stderr=False)


def _show_picture_info(source: str, *, verify: bool, allow_large: bool, as_json: bool) -> None:
    from ncodec.api import pictures as api

    data = api.load_bytes(source)
    found = api.info(data)
    if verify:
        api.verify(data, allow_large=allow_large)
    fields = {"input": source, **asdict(found), "verified": verify}
    line = f"{source}  {_line(found)}" + ("  verified" if verify else "")
    say(fields, line, as_json=as_json, to_stderr=False)


def _line(found: "Info") -> str:
    chunks = ", ".join(f"{name} {size:,}" for name, size in found.chunks.items())
    mode = found.mode if found.bits == 8 else f"{found.mode} of {found.bits} bits"
    quality = "lossless" if found.lossless else f"q {found.quality:g}"
    quality += ", decoded by numba" * found.mixed
    model = f"model {found.model}" if found.model else "no model"
    model += f", {found.exact:.0%} of it exact cells" if 0 < found.exact < 1 else ""
    return (
        f"{found.width}×{found.height} {mode}  {found.size:,} bytes  {found.bpp:.3f} bpp  "
        f"{quality}  {model}  chunks: {chunks}"
    )
