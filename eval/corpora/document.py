"""Frame, themes, fonts and pictures of the corpus's pages."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ncodec.eval.corpora.texture import Size, scene

BASE = """
* { box-sizing: border-box; margin: 0; padding: 0; }
html, body { height: 100%; }
body { font: 14px/1.5 "DejaVu Sans", sans-serif; background: var(--ground); color: var(--ink); }
svg.i { width: 16px; height: 16px; vertical-align: -3px; fill: none; stroke: currentColor;
  stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.row { display: flex; align-items: center; gap: 10px; }
.grow { flex: 1; min-width: 0; }
.faint { color: var(--faint); }
.small { font-size: 11px; }
.tiny { font-size: 9px; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 10px;
  box-shadow: 0 2px 8px rgba(0,0,0,.12); padding: 14px; }
.button { display: inline-block; padding: 6px 14px; border-radius: 6px;
  border: 1px solid var(--line);
  background: linear-gradient(var(--raised), var(--ground)); }
.main { color: #fff; border-color: transparent; background: linear-gradient(#4a90f0, #1f62c9); }
.face { width: 36px; height: 36px; border-radius: 50%; color: #fff; text-align: center;
  line-height: 36px; font-size: 13px; flex: none; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: 5px 9px; }
pre, code, .mono { font-family: "DejaVu Sans Mono", monospace; }
"""
LIGHT = """
:root { --ground: #f4f5f7; --raised: #fff; --ink: #1d2129; --faint: #6b7280; --line: #d5d9e0;
  --accent: #1f62c9; }
"""
DARK = """
:root { --ground: #16181d; --raised: #21242c; --ink: #dfe2e8; --faint: #8a91a0; --line: #353a45;
  --accent: #6aa6ff; }
"""
FACES = ("#c2185b", "#5e35b1", "#00897b", "#ef6c00", "#3949ab", "#7cb342", "#6d4c41", "#0288d1")


@dataclass(frozen=True)
class Page:
    """A page to be drawn."""

    name: str
    size: Size
    html: Callable[[], str]


def document(style: str, body: str, *, dark: bool = False) -> str:
    """A whole HTML document that loads nothing."""
    theme = DARK if dark else LIGHT
    head = f'<meta charset="utf-8"><style>{theme}{BASE}{style}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def face(name: str) -> str:
    """Initials in a circle whose colour the name decides."""
    initials = "".join(part[0] for part in name.split())
    colour = FACES[sum(map(ord, name)) % len(FACES)]
    return f'<div class="face" style="background:{colour}">{initials}</div>'


def data_uri(photo: Path | None, size: Size) -> str:
    """A photograph, or a drawn scene where there is none, for an `img` of a size in pixels."""
    stream = io.BytesIO()
    if photo is None:
        Image.fromarray(scene(size, seed=7)).save(stream, "PNG")
    else:
        with Image.open(photo) as image:
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
