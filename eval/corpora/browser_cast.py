"""A screen recording out of a real browser, frame by frame."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ncodec.arrays import Pixels
from ncodec.errors import BackendError
from ncodec.eval.corpora.browser import arguments, find_browser
from ncodec.eval.corpora.document import document
from ncodec.eval.corpora.words import TITLES, prose

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

STYLE = """
main { max-width: 620px; margin: 20px auto 200px; } h2 { margin: 18px 0 6px; }
#pad { position: fixed; right: 24px; bottom: 20px; width: 260px; height: 120px; padding: 10px;
  background: #21242c; color: #dfe2e8; border-radius: 8px; font: 12px "DejaVu Sans Mono";
  box-shadow: 0 6px 18px rgba(0,0,0,.35); overflow: hidden; }
#box { position: fixed; width: 130px; height: 90px; border-radius: 14px; left: 0; top: 0;
  background: linear-gradient(135deg, #ff9a5a, #e0356f);
  box-shadow: 0 10px 26px rgba(80,0,40,.45); }
"""
STEP = """
const i = arguments[0], said = arguments[1];
scrollTo(0, 6 * i);
document.getElementById("pad").textContent = said.slice(0, 2 * i) + (i % 10 < 5 ? "▌" : "");
const x = 30 + 5 * i, y = 60 + 40 * Math.sin(i / 6);
document.getElementById("box").style.transform = `translate(${x}px, ${y}px)`;
"""


def _page() -> str:
    parts = (f"<h2>{title}</h2><p>{prose(9, seed=i)}</p>" for i, title in enumerate(TITLES))
    body = f"<main>{''.join(parts)}</main><div id=pad></div><div id=box></div>"
    return document(STYLE, body)


def _start(folder: Path, width: int, height: int) -> "Chrome":
    browser, driver = find_browser(), shutil.which("chromedriver")
    if browser is None or driver is None:
        msg = "a recording needs chromium and chromedriver, which are not installed (make browser)"
        raise BackendError(msg)
    try:
        from selenium.webdriver import Chrome, ChromeOptions
        from selenium.webdriver.chrome.service import Service
    except ImportError as error:
        msg = "a recording needs selenium: pip install selenium"
        raise BackendError(msg) from error
    options = ChromeOptions()
    options.binary_location = browser
    for flag in arguments(folder, (width, height)):
        options.add_argument(flag)
    return Chrome(options=options, service=Service(driver))


def browser_recording(frames: int, width: int, height: int) -> Iterator[Pixels]:
    """(H, W, 3) screenshots of a page that scrolls while a pad is typed in and a box moves.

    Raises BackendError where there is no browser; a frame takes about a tenth of a second.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        page = Path(name) / "page.html"
        page.write_text(_page(), "utf-8")
        driver = _start(Path(name) / "profile", width, height)
        try:
            # The window has a frame; what is shown is to have the size.
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.get(page.as_uri())
            said = prose(20, seed=99)
            for i in range(frames):
                driver.execute_script(STEP, i, said)
                with Image.open(io.BytesIO(driver.get_screenshot_as_png())) as shot:
                    yield np.array(shot.convert("RGB"))
        finally:
            driver.quit()
