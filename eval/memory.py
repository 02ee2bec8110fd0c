"""How much memory a codec takes at its peak, each in a process of its own."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ncodec.eval.codecs import Codec
from ncodec.eval.measure import run_in_pool
from ncodec.eval.media import MEDIA, Medium, Source
from ncodec.eval.store import Store
from ncodec.files import write_bytes

_UNIT = 1 if sys.platform == "darwin" else 1024
"""bytes in which the system counts"""


def measure_memory(
    medium: Medium,
    source: Source,
    codecs: Sequence[Codec[Any]],
    *,
    store: Store,
    jobs: int,
    advance: Callable[[int], None],
) -> dict[str, float]:
    """Megabytes that each codec takes beyond the source itself, at its middle quality; without those that failed.

    Windows does not count them in a way that Python knows; there none is measured.
    """
    found: dict[str, float] = {}
    if sys.platform == "win32":
        return found
    todo: dict[tuple[str, str, Source], Path] = {}
    for codec in codecs:
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
    """What the process grows by, and the processes that it starts."""
    content = MEDIA[medium].read(source)
    chosen = MEDIA[medium].codecs[codec]
    before = _largest()
    chosen.run(content, chosen.qualities[len(chosen.qualities) // 2])
    return (_largest() - before) / 1e6


def _largest() -> float:
    import resource

    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return float((own + children) * _UNIT)
