"""The site shows every public name."""

import re

from places import ROOT

import ncodec


def test_the_api_page_shows_every_public_name() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    shown = re.findall(r"^::: ncodec\.(\w+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(ncodec.__all__)
