"""Hook of MkDocs: every heading of level 1 is in the table of contents, not the first alone."""

from typing import Any


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Put further headings of level 1, which `format.md` includes, under the page's title."""
    first, *others = page.toc.items or [None]
    if others:
        first.children += others
        page.toc.items[1:] = []
    return html
