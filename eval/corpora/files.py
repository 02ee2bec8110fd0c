"""The corpus as files."""

import io
from collections.abc import Sequence
from pathlib import Path

from ncodec.eval.corpora.browser import find_browser
from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.members import members
from ncodec.eval.corpora.pages import pages
from ncodec.media.streams import write_bytes

Members = Sequence[Member]


def available(photo: Path | None = None) -> list[Member]:
    """All members, and the pages where a browser can draw them."""
    return [*members(), *(pages(photo) if find_browser() else [])]


def write(folder: Path, chosen: Members | None = None, *, overwrite: bool = False) -> list[Path]:
    """Write members as kind-name.png, all available ones unless told; raises OutputError.

    Modes and hidden pixels are kept. Returns the paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for member in available() if chosen is None else chosen:
        stream = io.BytesIO()
        member.make().save(stream, "PNG")
        path = folder / f"{member.kind}-{member.name}.png"
        write_bytes(stream.getvalue(), path, overwrite=overwrite)
        paths.append(path)
    return paths
