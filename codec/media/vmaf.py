"""VMAF and its companions, by libvmaf in FFmpeg's command."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ncodec.media.ffmpeg_command import run_ffmpeg

_BY_NUMBER = "settb=AVTB,setpts=N/25/TB"
"""frames are compared by their number: time stamps in two units would compare shifted frames"""


@dataclass(frozen=True)
class VmafReport:
    """Means over frames by libvmaf's names of models and features, such as vmaf and psnr_y."""

    means: dict[str, float]
    frames: int
    """number of frames that were compared"""


def vmaf_report(
    coded: Sequence[str | Path],
    reference: Sequence[str | Path],
    *,
    filters: tuple[str, str] = ("null", "null"),
    options: str = "",
) -> VmafReport:
    """Report on frames against a reference, on one thread.

    `coded` and `reference` are arguments of FFmpeg's command that open them, `filters` what each
    passes through before, `options` further ones of libvmaf. Raises InputError where FFmpeg fails,
    and ImportError where imageio-ffmpeg is not installed.
    """
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log.json"
        first, second = (f"{steps},{_BY_NUMBER}" for steps in filters)
        # A name without a path: a colon in it would end the option.
        metric = f"libvmaf=n_threads=1:log_fmt=json:log_path={log.name}{options}"
        graph = f"[0:v]{first}[a];[1:v]{second}[b];[a][b]{metric}"
        run_ffmpeg([*coded, *reference, "-lavfi", graph, "-f", "null", "-"], folder=Path(folder))
        found = json.loads(log.read_text("utf-8"))
    means = {name: float(pooled["mean"]) for name, pooled in found["pooled_metrics"].items()}
    return VmafReport(means, len(found["frames"]))
