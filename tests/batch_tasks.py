"""Tasks whose items can be told to fail, for tests of batches."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from ncodec.batch.parts import ClipParts, Parts
from ncodec.batch.product import Product
from ncodec.batch.store import Beat
from ncodec.batch.task import CopyTask, EncodeTask

MEMORY = 1 << 30


@dataclass(frozen=True, kw_only=True)
class PoisonTask(CopyTask):
    """Copies pictures, but for those whose names tell it to crash, to hang, to be slow but alive,
    or to take a gibibyte of memory, always or once."""

    marks: str
    """folder that remembers which names have been seen"""

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        stem = PurePosixPath(name).stem
        mark = Path(self.marks) / stem
        is_first = not mark.exists()
        mark.touch()
        if is_first or "once" not in stem:
            _fail(stem, beat)
        return super().run(source, name, folder, beat=beat)


def _fail(stem: str, beat: Beat) -> None:
    if stem.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    if stem.startswith("hang"):
        time.sleep(3600)
    if stem.startswith("slow"):
        for _ in range(30):
            time.sleep(0.1)
            beat()
    if stem.startswith("hungry"):
        held = b"x" * MEMORY
        time.sleep(30)
        del held
    if stem.startswith("error"):
        msg = "an error that nobody expected"
        raise RuntimeError(msg)


@dataclass(frozen=True, kw_only=True)
class PoisonParts(ClipParts):
    """Parts of which some crash their worker: `crash` is the number of a job, which does so always,
    or only the first time if `once`."""

    marks: str
    crash: int
    once: bool

    def run(self, source: Path, folder: Path, job: int, *, beat: Beat) -> None:
        mark = Path(self.marks) / f"job-{job}"
        is_first = not mark.exists()
        mark.touch()
        if job == self.crash and (is_first or not self.once):
            os.kill(os.getpid(), signal.SIGKILL)
        super().run(source, folder, job, beat=beat)


@dataclass(frozen=True, kw_only=True)
class PoisonSplit(EncodeTask):
    """Encodes clips in parts as `PoisonParts`."""

    marks: str
    crash: int
    once: bool = False

    def parts_of(self, name: str) -> Parts | None:
        parts = super().parts_of(name)
        if not isinstance(parts, ClipParts):
            return parts
        return PoisonParts(
            settings=parts.settings,
            seconds=parts.seconds,
            marks=self.marks,
            crash=self.crash,
            once=self.once,
        )


@dataclass(frozen=True, kw_only=True)
class GpuTask(CopyTask):
    """Copies pictures; a notice of each names the GPUs that the worker may see."""

    uses_gpu: ClassVar[bool] = True

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        product = super().run(source, name, folder, beat=beat)
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return Product(product.path, {**product.facts, "notices": (f"GPU {seen}",)})
