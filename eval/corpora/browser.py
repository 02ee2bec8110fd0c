"""Chromium without a window, and without a network."""

import io
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from ncodec.errors import BackendError
from ncodec.eval.corpora.texture import Size

FLAGS = (
    "headless", "no-sandbox", "disable-gpu", "hide-scrollbars", "no-first-run",
    "disable-background-networking", "disable-component-update", "disable-sync",
    # Letters have grey edges and colours are plain, whatever screen is at hand.
    "disable-lcd-text", "force-color-profile=srgb", "force-device-scale-factor=1",
)  # fmt: skip
TIMEOUT_S = 60


def find_browser() -> str | None:
    """Path of Chromium, where it is installed."""
    return shutil.which("chromium")


def arguments(folder: Path, size: Size) -> list[str]:
    """Flags for a window of a size in pixels and a profile in a folder of its own."""
    width, height = size
    own = (f"user-data-dir={folder}", f"window-size={width},{height}")
    return [f"--{flag}" for flag in (*FLAGS, *own)]


def screenshot(html: str, size: Size) -> Image.Image:
    """RGB of the top left of a page; raises BackendError where no browser draws it."""
    browser = find_browser()
    if browser is None:
        msg = "pages need chromium, which is not installed (make browser)"
        raise BackendError(msg)
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        page, shot = Path(name) / "page.html", Path(name) / "page.png"
        page.write_text(html, "utf-8")
        flags = arguments(Path(name) / "profile", size)
        command = [browser, *flags, f"--screenshot={shot}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_S)
        if not shot.exists():
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"]
            msg = f"chromium drew nothing: {said[-1]}"
            raise BackendError(msg)
        return Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")
