"""FFmpeg's command, from imageio-ffmpeg's wheel: for what PyAV's FFmpeg was built without."""

import re
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ncodec.errors import InputError

DISTRIBUTION = "imageio-ffmpeg"
TIMEOUT_S = 3600


def is_installed() -> bool:
    """Whether the package imageio-ffmpeg is installed."""
    return find_spec("imageio_ffmpeg") is not None


@lru_cache(maxsize=1)
def ffmpeg_version() -> str:
    """Versions of the wheel and of its FFmpeg."""
    first = run_ffmpeg(["-version"]).decode(errors="replace").splitlines()[0]
    found = re.match(r"ffmpeg version (\S+)", first)
    return f"{DISTRIBUTION} {version(DISTRIBUTION)} (FFmpeg {found[1] if found else 'unknown'})"


def run_ffmpeg(
    arguments: Sequence[str | Path], data: bytes = b"", *, folder: Path | None = None
) -> bytes:
    """Run FFmpeg's command on arguments in a folder, with `data` as standard input; returns its
    standard output.

    Existing files are overwritten. Raises InputError with FFmpeg's last line where it fails,
    ImportError where imageio-ffmpeg is not installed, and subprocess.TimeoutExpired after an hour.
    """
    import imageio_ffmpeg

    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-y",
        *map(str, arguments),
    ]
    done = subprocess.run(
        command, input=data, capture_output=True, check=False, timeout=TIMEOUT_S, cwd=folder
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"]
        msg = f"FFmpeg failed: {said[-1]}"
        raise InputError(msg)
    return done.stdout
