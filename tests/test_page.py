"""The page of a report in a real browser: drawn, quiet, and doing what its controls say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image
from places import require_browser
from players.browsers import start_chromium
from test_demux import write

pytest.importorskip("selenium")
pytest.importorskip("altair")
pytest.importorskip("skimage")
pytest.importorskip("vl_convert")

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from ncodec.eval.commands.report import report

require_browser(allow_module_level=True)

Photo = npt.NDArray[np.uint8]


def make_page(folder: Path, inputs: list[Path], *codecs: str) -> str:
    page = folder / "page.html"
    chosen = [part for codec in codecs for part in ("--codec", codec)]
    options = [
        "-o",
        str(page),
        "--cache",
        str(folder / "cache"),
        "--quick",
        "--jobs",
        "1",
        "--frames",
        "3",
        *chosen,
    ]
    result = CliRunner().invoke(report, [*map(str, inputs), *options])
    assert result.exit_code == 0, result.output
    return page.resolve().as_uri()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> str:
    folder = tmp_path_factory.mktemp("pictures")
    for name, pixels in (("a.png", photo), ("b.png", photo[::-1, :150])):
        Image.fromarray(pixels).save(folder / name)
    return make_page(folder, [folder / "a.png", folder / "b.png"], "ncodec", "JPEG 4:2:0", "WebP")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> str:
    folder = tmp_path_factory.mktemp("clips")
    frames = [np.ascontiguousarray(photo[:96, i : i + 128]) for i in range(3)]
    clip = write(folder / "a.mkv", frames, codec="ffv1", pix_fmt="yuv420p")
    return make_page(folder, [clip], "ncodec", "x264 veryfast, low delay")


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    driver = start_chromium()
    yield driver
    driver.quit()


def show(browser: Chrome, page: str, *, width: int = 1200) -> None:
    browser.set_window_size(width, 900)
    browser.get(page)
    WebDriverWait(browser, 30).until(
        lambda b: b.execute_script("return document.documentElement.dataset.ready")
    )


def marks(browser: Chrome) -> int:
    return len(browser.find_elements(By.CSS_SELECTOR, "#curves .mark-symbol.role-mark path"))


@pytest.mark.slow
def test_curves_are_drawn_and_codecs_can_be_hidden(browser: Chrome, pictures: str) -> None:
    show(browser, pictures)
    assert browser.get_log("browser") == []
    before = marks(browser)
    assert before == 15, "five points of three codecs"
    browser.find_element(By.CSS_SELECTOR, "#codecs input").click()
    WebDriverWait(browser, 10).until(lambda b: marks(b) == before - 5)
    Select(browser.find_element(By.ID, "scale")).select_by_value("linear")
    WebDriverWait(browser, 10).until(lambda b: marks(b) == before - 5)
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_another_anchor_gives_other_rates(browser: Chrome, pictures: str) -> None:
    show(browser, pictures)
    assert Select(browser.find_element(By.ID, "anchor")).first_selected_option.text == "JPEG 4:2:0"
    rows = browser.find_element(By.CSS_SELECTOR, "#rates tbody").text
    assert "ncodec −" in rows
    Select(browser.find_element(By.ID, "anchor")).select_by_visible_text("ncodec")
    assert "JPEG 4:2:0 +" in browser.find_element(By.CSS_SELECTOR, "#rates tbody").text


@pytest.mark.slow
def test_the_slider_uncovers_and_the_table_sorts(browser: Chrome, pictures: str) -> None:
    show(browser, pictures)
    share = "return document.getElementById('viewer').style.getPropertyValue('--share')"
    browser.find_element(By.ID, "slider").send_keys(Keys.ARROW_LEFT * 10)
    assert browser.execute_script(share) == "40%"
    width = browser.execute_script("return document.getElementById('left-image').width")
    Select(browser.find_element(By.ID, "zoom")).select_by_value("4")
    wider = "return document.getElementById('left-image').width"
    WebDriverWait(browser, 10).until(lambda b: b.execute_script(wider) == 2 * width)
    assert "bpp" in browser.find_element(By.ID, "left-caption").text
    first = "#per-picture tbody tr:first-child td"
    for expected in ("a.png", "b.png"):
        browser.find_element(By.CSS_SELECTOR, "#per-picture th button").click()
        assert browser.find_element(By.CSS_SELECTOR, first).text == expected
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_a_phone_shows_it_all_without_scrolling_sideways(
    browser: Chrome, pictures: str, clips: str
) -> None:
    for page in (pictures, clips):
        show(browser, page, width=500)  # the narrowest window that Chromium opens
        widest = (
            "return document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert browser.execute_script(widest) == 0


@pytest.mark.slow
def test_a_page_of_clips_is_as_quiet(browser: Chrome, clips: str) -> None:
    show(browser, clips)
    assert browser.get_log("browser") == []
    assert marks(browser) == 10
    assert "x264 veryfast, low delay" in browser.find_element(By.ID, "anchor").text
    assert "PSNR 6:1:1" in browser.find_element(By.CSS_SELECTOR, "#rates thead").text
    assert browser.find_elements(By.CSS_SELECTOR, "#speeds .mark-symbol.role-mark path")
