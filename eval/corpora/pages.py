"""Pages and interfaces as a browser draws them, light and dark."""

from functools import partial
from pathlib import Path

from PIL import Image

from ncodec.eval.corpora import office, reading, tools
from ncodec.eval.corpora.browser import screenshot
from ncodec.eval.corpora.document import Page
from ncodec.eval.corpora.member import Member


def drawn(page: Page) -> Image.Image:
    """RGB of a page; raises BackendError where there is no browser."""
    return screenshot(page.html(), page.size)


def pages(photo: Path | None = None) -> list[Member]:
    """All pages, 800×600 to 1400×1800; `photo` is shown in a shop, else a drawn scene."""
    found = [*reading.pages(photo), *tools.pages(), *office.pages()]
    return [Member(page.name, "page", partial(drawn, page)) for page in found]
