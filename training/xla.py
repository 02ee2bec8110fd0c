"""Proof that training stays one XLA program: a few steps of the real module in Lightning's XLA
strategy, counted.

    PJRT_DEVICE=CPU python -m ncodec.training.xla --data DIR

needs the `tpu` extra. On a TPU host the same command, without PJRT_DEVICE, proves it there.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import AcceleratorRegistry, XLAAccelerator

from ncodec.errors import NcodecError
from ncodec.networks.image import ImageModel
from ncodec.optional import require_modules
from ncodec.training.data import patch_statistics
from ncodec.training.options import RunOptions, read_options
from ncodec.training.run import make_trainer, prepare

MAX_COMPILATIONS = 3
"""programs: of the first step, which makes the optimizer's moments; of every later step; of the
values read at the end"""
READ = "aten::_local_scalar_dense"
"""reads of values, which XLA counts among the host's operations"""


class HostXla(XLAAccelerator):
    """XLA without a TPU: the device that PJRT_DEVICE names, which Lightning would not find by
    itself."""

    @staticmethod
    def is_available() -> bool:  # type: ignore[override]  # theirs is cached
        """True; where it is not, the first tensor says why."""
        return True

    @staticmethod
    def parse_devices(devices: object) -> int:
        """One, without asking a cloud's metadata server for TPUs."""
        return 1

    @staticmethod
    def get_parallel_devices(devices: object) -> list[torch.device]:
        """The first XLA device."""
        return [torch.device("xla", 0)]


@dataclass(frozen=True)
class Compilations:
    """Programs and host operations of XLA in a run."""

    steps: int
    programs: int
    """different graphs that were compiled"""
    fallbacks: tuple[str, ...]
    """operations that ran on the host because XLA has no form of them"""

    @property
    def holds(self) -> bool:
        """Whether at most three programs were compiled and no operation ran on the host."""
        return self.programs <= MAX_COMPILATIONS and not self.fallbacks


class _StepsOnly(pl.Callback):
    """Remembers how many programs were compiled before the first step, which is Lightning's own
    business."""

    before = 0

    def on_train_start(self, *_: object) -> None:
        self.before = _programs()


def _programs() -> int:
    from torch_xla.debug import metrics

    compiled = metrics.metric_data("CompileTime")
    return int(compiled[0]) if compiled else 0


def count_compilations(data: Sequence[str | Path], *, options: RunOptions) -> Compilations:
    """Train for `options.optimizer.steps` steps on the XLA device and count what was compiled."""
    from torch_xla.debug import metrics

    module, pictures = prepare(data, options=options)
    if isinstance(module.model, ImageModel):
        module.model.start_from(patch_statistics(pictures.pictures, options.model))
    steps = _StepsOnly()
    with TemporaryDirectory() as folder:
        make_trainer(options, out=Path(folder), callbacks=[steps]).fit(module, pictures)
    fallbacks = tuple(
        name for name in metrics.counter_names() if name.startswith("aten::") and name != READ
    )
    return Compilations(options.optimizer.steps, _programs() - steps.before, fallbacks)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", multiple=True, required=True, help="Pictures, as of `ncodec train image`.")
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def main(data: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Count the programs that XLA compiles in 20 training steps; exit 1 for too many."""
    try:
        require_modules("torch_xla", extra="tpu")
    except NcodecError as error:
        raise click.ClickException(str(error)) from error
    if os.environ.get("PJRT_DEVICE", "TPU") != "TPU":
        AcceleratorRegistry.register("tpu", HostXla, description="XLA without a TPU", override=True)
    fixed = [
        "--accelerator=tpu",
        "--optimizer.name=adamw",
        "--optimizer.steps=20",
        "--validate_every=1000000",
    ]
    options = read_options([*fixed, *overrides])
    seen = count_compilations(data, options=options)
    fallbacks = ", ".join(seen.fallbacks) or "none"
    click.echo(
        f"{seen.steps} steps: {seen.programs} programs compiled, operations left to the host: "
        f"{fallbacks}"
    )
    sys.exit(0 if seen.holds else 1)


if __name__ == "__main__":
    main()
