"""VMAF of frames, by FFmpeg's command from imageio-ffmpeg's wheel."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from ncodec.media.ffmpeg_command import run_ffmpeg


def vmaf(original: bytes, decoded: bytes, *, size: str, rate: str) -> tuple[float, int]:
    """Mean VMAF, 0 to 100, of raw 8-bit 4:2:0 frames, and the number of frames compared.

    `size` is such as 640x360, `rate` frames a second such as 30000/1001. Frames are compared by
    their number, not their time: time stamps in two units would compare shifted frames. Raises
    InputError where FFmpeg fails.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder)
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", rate]
        inputs: list[str | Path] = []
        for name, data in (("decoded", decoded), ("original", original)):
            (place / name).write_bytes(data)
            inputs += [*raw, "-i", place / name]
        anew = "settb=AVTB,setpts=N/25/TB"
        log = place / "log.json"
        graph = (
            f"[0:v]{anew}[a];[1:v]{anew}[b];[a][b]libvmaf=n_threads=1:log_fmt=json:log_path={log}"
        )
        run_ffmpeg([*inputs, "-lavfi", graph, "-f", "null", "-"])
        report = json.loads(log.read_text("utf-8"))
    return float(report["pooled_metrics"]["vmaf"]["mean"]), len(report["frames"])
