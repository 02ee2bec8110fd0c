"""`ncodec tensors`: weights, activations and other arrays to .nct files and back."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ncodec.cli.console import (
    ByteProgress,
    expand_inputs,
    is_stream,
    name_outputs,
    say,
    say_notices,
    step_progress,
    usage_errors,
    work_through,
)
from ncodec.cli.options import EPILOG, LIKE, output_options, strict_option

if TYPE_CHECKING:
    from ncodec.api.tensors import TensorStats

SUFFIX = ".nct"


@click.group(epilog=EPILOG)
def tensors() -> None:
    """Pack the tensors of .safetensors, .npy and .npz files into .nct files, and back."""


@tensors.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@LIKE
@click.option("--bits", type=click.IntRange(2, 12), help="Bits of the largest value of each row.")
@click.option("--max-error", type=float, help="Largest absolute error of a floating-point number.")
@strict_option
@output_options
def pack(
    inputs: tuple[str, ...],
    like: str | None,
    bits: int | None,
    max_error: float | None,
    strict: bool,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Pack tensors, exactly unless --bits or --max-error let floating-point ones lose something.

    IN is a .safetensors, .npy or .npz file, a glob pattern, or - for standard input.
    """
    from ncodec.api import tensors as api

    with usage_errors():
        api.TensorLoss(bits=bits, max_error=max_error)
    names = expand_inputs(inputs)
    suffixes = [Path(name).suffix + SUFFIX for name in names]
    pairs = list(zip(names, name_outputs(names, output, suffixes), strict=True))

    def work(source: str, target: str) -> None:
        with step_progress("pack", shown=len(pairs) == 1) as update:
            stats = api.pack_tensors(
                source, target, like=like, bits=bits, max_error=max_error, strict=strict,
                overwrite=force, progress=ByteProgress(update, source),
            )  # fmt: skip
        say_notices(source, stats.notices)
        _say(source, target, stats, as_json=as_json)

    work_through(pairs, "pack", work, as_json=as_json)


@tensors.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@LIKE
@click.option("--verify", is_flag=True, help="Check that files are whole, and write nothing.")
@output_options
def unpack(
    inputs: tuple[str, ...],
    like: str | None,
    verify: bool,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Unpack .nct files into files of the kind that their tensors came from, named without .nct."""
    from ncodec.api import tensors as api

    if verify and (output or force):
        msg = "--verify writes nothing: expected no -o or -f"
        raise click.UsageError(msg)
    names = expand_inputs(inputs)
    suffixes = [
        "" if Path(name).suffix == SUFFIX else f"{Path(name).suffix}.unpacked" for name in names
    ]
    targets = names if verify else name_outputs(names, output, suffixes)
    pairs = list(zip(names, targets, strict=True))

    def work(source: str, target: str) -> None:
        with step_progress("unpack", shown=len(pairs) == 1) as update:
            stats = api.unpack_tensors(
                source, None if verify else target, like=like, overwrite=force,
                progress=ByteProgress(update, None),
            )  # fmt: skip
        _say(source, None if verify else target, stats, as_json=as_json)

    work_through(pairs, "unpack", work, as_json=as_json)


@tensors.command("list", epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each tensor.")
def list_tensors(inputs: tuple[str, ...], as_json: bool) -> None:
    """Print name, kind of elements, shape, form and packed bytes of every tensor."""
    from ncodec.api import tensors as api

    def work(source: str, _: str) -> None:
        with api.open_tensors(source) as file:
            for found in file.infos():
                shape = "×".join(map(str, found.shape)) or "one number"
                line = f"{found.name or 'array'}  {found.kind} {shape}  {found.form}  "
                line += f"{found.packed:,} bytes"
                say({"input": source, **asdict(found)}, line, as_json=as_json, to_stderr=False)

    names = expand_inputs(inputs)
    work_through([(name, name) for name in names], "read", work, as_json=as_json)


def _say(source: str, target: str | None, stats: "TensorStats", *, as_json: bool) -> None:
    fields = {"input": source, "output": target, **asdict(stats)}
    done = "is whole" if target is None else f"→ {target}"
    share = f"{stats.packed / stats.size:.1%}" if stats.size else "empty"
    lossy = f"  {stats.quantized} of them quantized" if stats.quantized else ""
    line = (
        f"{source} {done}  {stats.tensors} tensors{lossy}  {stats.size:,} bytes packed into "
        f"{stats.packed:,}  {share}  {stats.seconds:.2f} s"
    )
    say(fields, line, as_json=as_json, to_stderr=target is not None and is_stream(target))
