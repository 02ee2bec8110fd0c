"""Streams in real players and browsers: to the end, through switches, over a slow line."""

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from places import PLAYERS, ROOT, require_browser, require_firefox, require_players

pytest.importorskip("selenium")
pytest.importorskip("imageio_ffmpeg")

from players.bench import PREFIXES, Bench, Played, folders
from players.browsers import Browser, Chromium, Firefox
from players.server import Server
from players.stream import FRAMES, HIGHEST, LOWEST, SECONDS, make_stream
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

TEMPLATE = ROOT / "codec" / "streaming" / "player"

LEAST_SHOWN = 0.85
SLOW = 35_000
"""bytes a second: less than half of the highest rung, more than the lowest with its sound"""
FAST_BITS = 5_000_000
"""bits a second that a player believes in, so that it starts with the highest rung"""
DASH = "manifest.mpd"
NAMES = {"h264": "avc1.64001e", "hevc": "hvc1.1.6.L63.90", "av1": "av01.0.01M.08"}
"""RFC 6381's names of codecs at the highest rung"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require_players()
    stream = make_stream(tmp_path_factory.mktemp("players") / "stream")
    with Server(folders(stream)) as started:
        yield started


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    require_browser()
    with closing(Chromium()) as started:
        yield started


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    require_firefox()
    with closing(Firefox()) as started:
        yield started


@pytest.fixture
def bench(request: pytest.FixtureRequest, server: Server) -> Iterator[Bench]:
    """Bench in the browser that the test names as a parameter."""
    browser: Browser = request.getfixturevalue(request.param)
    browser.complaints()
    yield Bench(browser, server)
    server.link.rate = None
    browser.open("about:blank")


def require_codec(bench: Bench, codec: str) -> None:
    asked = f'video/mp4; codecs="{NAMES[codec]}"'
    if not bench.browser.run(f"MediaSource.isTypeSupported({asked!r})"):
        pytest.skip(f"this {bench.browser.name} does not decode {codec}")


def is_whole(played: Played, bench: Bench, codec: str) -> None:
    """The stream was played to its end, without an error and with nearly all of its frames."""
    assert played.errors == []
    assert bench.browser.complaints() == []
    assert bench.server.missing == []
    assert played.ended
    assert played.duration == pytest.approx(SECONDS, abs=0.1)
    assert played.time == pytest.approx(played.duration, abs=0.1)
    assert [level.height for level in played.levels] == [LOWEST, HIGHEST]
    assert all(level.codec.startswith(PREFIXES[codec]) for level in played.levels)
    assert played.shown >= LEAST_SHOWN * FRAMES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bench", "player", "manifest", "codec"),
    [
        ("chromium", "hls.js", "av1.m3u8", "av1"),
        ("chromium", "dash.js", DASH, "av1"),
        ("chromium", "shaka", DASH, "av1"),
        ("firefox", "hls.js", "h264.m3u8", "h264"),
        ("firefox", "dash.js", DASH, "av1"),
    ],
    indirect=["bench"],
)
def test_players_reach_the_end(bench: Bench, player: str, manifest: str, codec: str) -> None:
    bench.start(player, manifest, codec=codec)
    is_whole(bench.to_end(), bench, codec)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bench", "player", "manifest", "codec"),
    [
        ("chromium", "hls.js", "h264.m3u8", "h264"),
        ("chromium", "dash.js", DASH, "h264"),
        ("chromium", "shaka", DASH, "h264"),
        ("firefox", "hls.js", "hevc.m3u8", "hevc"),
        ("firefox", "dash.js", DASH, "hevc"),
        ("firefox", "shaka", "hevc.m3u8", "hevc"),
    ],
    indirect=["bench"],
)
def test_rungs_can_be_switched_while_they_play(
    bench: Bench, player: str, manifest: str, codec: str
) -> None:
    require_codec(bench, codec)
    bench.start(player, manifest, codec=codec, estimate=FAST_BITS, buffer=2)
    for level, height in ((0, LOWEST), (1, HIGHEST)):
        bench.until("state.height > 0 && state.time > 0.1", timeout_s=20)
        bench.force(level)
        bench.until(f"state.height === {height}", timeout_s=20)
    played = bench.to_end()
    is_whole(played, bench, codec)
    assert played.heights == [HIGHEST, LOWEST, HIGHEST]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bench", "player", "manifest", "codec"),
    [
        ("chromium", "hls.js", "h264.m3u8", "h264"),
        ("chromium", "dash.js", DASH, "h264"),
        ("chromium", "shaka", "h264.m3u8", "h264"),
        ("firefox", "hls.js", "h264.m3u8", "h264"),
    ],
    indirect=["bench"],
)
def test_a_slow_line_leads_to_the_lowest_rung(
    bench: Bench, player: str, manifest: str, codec: str
) -> None:
    bench.server.link.rate = SLOW
    bench.start(player, manifest, codec=codec, estimate=FAST_BITS, buffer=2)
    reached = bench.until(f"state.height === {LOWEST} && state.time > 1.5", timeout_s=40)
    assert reached.errors == []
    assert reached.heights[0] == HIGHEST, "the player started where it was told to"
    assert reached.heights[-1] == LOWEST


@pytest.fixture
def page(chromium: Chromium, server: Server) -> Iterator[WebDriver]:
    """Page of the stream, loaded."""
    server.missing.clear()
    chromium.complaints()
    chromium.emulate(width=1200, height=900)
    chromium.open(f"{server.address}/stream/index.html")
    ready = "return document.documentElement.dataset.ready"
    WebDriverWait(chromium.driver, 20).until(lambda driver: driver.execute_script(ready))
    chromium.run("document.querySelector('video').loop = true")  # however long a test takes
    yield chromium.driver
    chromium.emulate(width=1200, height=900)
    chromium.open("about:blank")


def choose(page: WebDriver, name: str) -> None:
    """Click an entry of the page's menu, which is open or opens."""
    menu = page.find_element(By.ID, "menu")
    if not menu.is_displayed():
        settings = page.find_element(By.ID, "settings")
        stage = page.find_element(By.ID, "stage")  # a pointer that moves brings back the controls
        ActionChains(page).move_to_element(stage).move_to_element(settings).click().perform()
    (entry,) = [
        label
        for label in menu.find_elements(By.TAG_NAME, "label")
        if label.find_element(By.TAG_NAME, "span").get_attribute("textContent") == name
    ]
    page.execute_script("arguments[0].scrollIntoView()", entry)
    entry.click()


def becomes(page: WebDriver, condition: str, *, timeout_s: float = 20) -> None:
    """Wait until an expression over `video` and `at`, an element by its id, holds."""
    script = f"const video = document.querySelector('video'); return {condition}"
    WebDriverWait(page, timeout_s, 0.1).until(
        lambda driver: driver.execute_script(script), f"expected {condition}"
    )


@pytest.mark.slow
def test_the_page_plays_and_switches_rungs_and_codecs_by_its_menu(
    page: WebDriver, chromium: Chromium, server: Server
) -> None:
    page.find_element(By.ID, "big").click()
    becomes(page, "video.currentTime > 0 && !at('big').checkVisibility()")
    page.find_element(By.TAG_NAME, "body").send_keys("k0")
    choose(page, "H.264")
    for height, key in ((LOWEST, "k"), (HIGHEST, "")):  # the first while it waits
        choose(page, f"{height}p")
        becomes(page, f"video.videoHeight === {height}")
        becomes(page, f"at('badge').textContent === '{height}p · H.264'")
        becomes(page, f"at('now-rung').textContent === '{height}p H.264'")
        current = page.find_elements(By.CSS_SELECTOR, ".rung[aria-current=true]")
        assert [row.text.split()[0] for row in current] == [f"{height}p"]
        page.find_element(By.ID, "play").send_keys(key)
    choose(page, "AV1")
    becomes(page, "at('badge').textContent.endsWith('AV1') && video.currentTime > 0.5")
    page.execute_script("video.loop = false")
    becomes(page, "video.ended")
    assert page.find_element(By.ID, "play").get_attribute("aria-label") == "Play again"
    assert chromium.complaints() == []
    assert server.missing == []
    assert not page.find_element(By.ID, "notice").is_displayed()


@pytest.mark.slow
def test_the_page_has_sounds_subtitles_thumbnails_and_keys(
    page: WebDriver, chromium: Chromium, server: Server
) -> None:
    body = page.find_element(By.TAG_NAME, "body")
    body.send_keys("k")
    becomes(page, "!video.paused")
    choose(page, "German")
    becomes(page, "page.hls.audioTrack === 1")
    body.send_keys(Keys.ESCAPE)
    body.send_keys("c")
    becomes(page, "/^Second \\d, to be read$/.test(at('cues').textContent)")
    assert page.find_element(By.ID, "captions").get_attribute("aria-pressed") == "true"
    body.send_keys("k5")
    becomes(page, f"video.paused && Math.abs(video.currentTime - {SECONDS / 2}) < 0.2")
    seek = page.find_element(By.ID, "seek")
    beside = seek.size["width"] // 20  # of the middle, which lies between two seconds
    ActionChains(page).move_to_element_with_offset(seek, beside, 0).perform()
    becomes(page, "at('picture').style.backgroundImage.includes('thumbnails/1.jpg')")
    assert page.find_element(By.CSS_SELECTOR, "#preview output").text == "0:03"
    assert chromium.complaints() == []
    assert server.missing == []


@pytest.mark.slow
def test_the_page_fits_a_phone(page: WebDriver, chromium: Chromium) -> None:
    chromium.emulate(width=390, height=844, dark=True)
    widest = "return document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    assert page.execute_script(widest) == 0
    stage = page.find_element(By.ID, "stage").rect
    for button in page.find_elements(By.CSS_SELECTOR, "#controls button"):
        if button.is_displayed():
            assert button.rect["x"] + button.rect["width"] <= stage["width"]
    assert page.find_element(By.ID, "full").is_displayed()


@pytest.mark.slow
def test_the_page_of_a_portrait_clip_shows_its_buttons(page: WebDriver) -> None:
    page.execute_script("at('stage').style.setProperty('--shape', '9 / 16')")
    stage = page.find_element(By.ID, "stage").rect
    buttons = page.find_elements(By.CSS_SELECTOR, "#controls .row button")
    shown = [button for button in buttons if button.is_displayed()]
    assert {"play", "mute", "settings", "full"} <= {one.get_attribute("id") for one in shown}
    assert all(one.rect["x"] + one.rect["width"] <= stage["x"] + stage["width"] for one in shown)


@pytest.mark.slow
def test_a_page_from_the_disk_says_how_to_serve_it(page: WebDriver, server: Server) -> None:
    page.get((server.folders["stream"] / "index.html").as_uri())
    notice = page.find_element(By.ID, "notice")
    assert notice.is_displayed()
    assert "python -m http.server" in notice.text


def test_the_player_of_the_page_is_that_of_the_tests() -> None:
    require_players()
    package = PLAYERS / "hls.js"
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    readme = (TEMPLATE / "README.md").read_text("utf-8")
    copied = (TEMPLATE / "hls.min.js").read_bytes()
    assert copied == (package / "dist" / "hls.min.js").read_bytes()
    assert (TEMPLATE / "hls.LICENSE").read_bytes() == (package / "LICENSE").read_bytes()
    assert f"hls.js {version}," in readme
    assert sha256(copied).hexdigest() in readme


def test_the_server_answers_ranges_and_stays_in_its_folders(tmp_path: Path) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.m4s").write_bytes(bytes(range(100)))
    (tmp_path / "secret").write_bytes(b"")
    with Server({"stream": inner}) as server:
        url = f"{server.address}/stream/a.m4s"
        for asked, first, last in (("10-19", 10, 19), ("90-", 90, 99), ("-5", 95, 99)):
            with urlopen(Request(url, headers={"Range": f"bytes={asked}"})) as answer:
                assert answer.status == 206
                assert answer.headers["Content-Range"] == f"bytes {first}-{last}/100"
                assert answer.read() == bytes(range(first, last + 1))
        with urlopen(url) as answer:
            assert answer.headers["Content-Type"] == "video/iso.segment"
            assert answer.read() == bytes(range(100))
        for path in ("/stream/../secret", "/secret", "/stream/none"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(server.address + path)
