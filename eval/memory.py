"""Peak memory of codecs, each measured in a new process."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ncodec.eval.codecs.base import Codec
from ncodec.eval.measure import run_in_pool
from ncodec.eval.media import MEDIA, Medium, Source
from ncodec.eval.store import Store
from ncodec.media.streams import write_bytes


def measure_memory(
    medium: Medium,
    source: Source,
    codecs: Sequence[Codec[Any]],
    *,
    store: Store,
    jobs: int,
    advance: Callable[[int], None],
) -> dict[str, float]:
    """Megabytes that each codec takes beyond the source itself, at its middle quality; by the
    codec's name.

    Left out are codecs that failed or that start another process, and systems that do not count as
    Linux does.
    """
    found: dict[str, float] = {}
    todo: dict[tuple[str, str, Source], Path] = {}
    for codec in codecs if sys.platform == "linux" else ():
        if not codec.in_process:
            advance(1)
            continue
        path = store.path(codec)
        path = path.with_name(f"{path.stem}-memory-{source.key[:12]}.json")
        known = _read(path)
        if known is None:
            todo[medium.name, codec.name, source] = path
        else:
            found[codec.name] = known
            advance(1)
    for task, result in run_in_pool(_peak, list(todo), jobs, fresh=True):
        if isinstance(result, float):
            found[task[1]] = result
            store.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(json.dumps({"megabytes": result}).encode(), todo[task], overwrite=True)
        advance(1)
    return found


def _read(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_text("utf-8"))["megabytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _peak(medium: str, codec: str, source: Source) -> float:
    content = MEDIA[medium].read(source)
    chosen = MEDIA[medium].codecs[codec]
    # Forgets the peak so far, which on Linux may be that of the process which started this one.
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_bytes()
    chosen.run(content, chosen.qualities[len(chosen.qualities) // 2])
    return (_peak_bytes() - before) / 1e6


def _peak_bytes() -> float:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return float(1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")))
