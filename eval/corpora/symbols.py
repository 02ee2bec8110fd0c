"""Symbols of interfaces as inline SVG."""

# Each on a square of 24 by 24, to be stroked, in as many shapes as it needs.
SYMBOLS: dict[str, tuple[str, ...]] = {
    "folder": ('<path d="M3 6h6l2 2h10v11H3z"/>',),
    "file": ('<path d="M6 3h8l4 4v14H6zM14 3v5h4"/>',),
    "search": ('<circle cx="10" cy="10" r="6"/>', '<path d="M15 15l6 6"/>'),
    "star": ('<path d="M12 3l3 6 6 1-4.5 4.5 1 6.5-5.5-3-5.5 3 1-6.5L3 10l6-1z"/>',),
    "mail": ('<rect x="3" y="5" width="18" height="14" rx="2"/>', '<path d="M3 7l9 7 9-7"/>'),
    "gear": (
        '<circle cx="12" cy="12" r="4"/>',
        '<path d="M12 2v4M12 18v4M2 12h4M18 12h4M5 5l3 3M16 16l3 3M5 19l3-3M16 8l3-3"/>',
    ),
    "user": ('<circle cx="12" cy="8" r="4"/>', '<path d="M4 21c0-9 16-9 16 0"/>'),
    "lock": (
        '<rect x="5" y="11" width="14" height="10" rx="2"/>',
        '<path d="M8 11V7a4 4 0 0 1 8 0v4"/>',
    ),
    "bell": ('<path d="M6 17V10a6 6 0 0 1 12 0v7l2 2H4zM10 21h4"/>',),
    "clip": ('<path d="M20 11l-8 8a5 5 0 0 1-7-7l9-9a3 3 0 0 1 5 5l-9 9"/>',),
    "bin": ('<path d="M4 7h16M9 7V4h6v3M6 7l1 14h10l1-14"/>',),
    "cart": (
        '<path d="M2 3h3l3 13h11l2-9H6"/>',
        '<circle cx="9" cy="20" r="1"/>',
        '<circle cx="18" cy="20" r="1"/>',
    ),
    "left": ('<path d="M15 5l-7 7 7 7"/>',),
    "right": ('<path d="M9 5l7 7-7 7"/>',),
    "down": ('<path d="M5 9l7 7 7-7"/>',),
    "plus": ('<path d="M12 4v16M4 12h16"/>',),
    "tick": ('<path d="M4 12l6 6L20 6"/>',),
    "cross": ('<path d="M5 5l14 14M19 5L5 19"/>',),
    "chart": ('<path d="M4 20V4M4 20h16M8 16v-5M12 16V8M16 16v-3"/>',),
    "screen": (
        '<rect x="3" y="4" width="18" height="12" rx="1"/>',
        '<path d="M12 16v4M8 20h8"/>',
    ),
    "music": (
        '<circle cx="7" cy="18" r="3"/>',
        '<circle cx="17" cy="16" r="3"/>',
        '<path d="M10 18V6l10-2v12"/>',
    ),
    "image": (
        '<rect x="3" y="4" width="18" height="16"/>',
        '<circle cx="9" cy="10" r="2"/>',
        '<path d="M4 19l6-6 4 4 3-3 4 5"/>',
    ),
}


def symbol(name: str) -> str:
    """An inline SVG in the colour of the text around it; its class is i."""
    return f'<svg class="i" viewBox="0 0 24 24">{"".join(SYMBOLS[name])}</svg>'
