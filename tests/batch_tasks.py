"""A task whose items can be told to fail by their names, for tests of batches."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ncodec.batch.store import Beat
from ncodec.batch.task import CopyTask, Product

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
