"""Code in colours: enough of a lexer for what the pages show."""

import re
from html import escape

KEYWORDS = (
    "from", "import", "def", "if", "not", "return", "raise", "for", "in", "class", "while", "else",
    "elif", "with", "as", "None", "True", "False", "and", "or", "yield",
)  # fmt: skip
TOKEN = re.compile(
    r'(?P<c>#[^\n]*)|(?P<s>""".*?"""|"[^"\n]*"|\'[^\'\n]*\')|(?P<n>\b\d[\d._]*\b)'
    rf"|(?P<k>\b(?:{'|'.join(KEYWORDS)})\b)|(?P<f>\b\w+(?=\())",
    re.DOTALL,
)


def spans(code: str) -> list[tuple[str, str]]:
    """Python code as (class, text): c comment, s string, n number, k keyword, f call, or none."""
    found: list[tuple[str, str]] = []
    end = 0
    for match in TOKEN.finditer(code):
        found.append(("", code[end : match.start()]))
        found.append((match.lastgroup or "", match[0]))
        end = match.end()
    return [(sort, text) for sort, text in (*found, ("", code[end:])) if text]


def mark(sort: str, text: str) -> str:
    """HTML of a text in a `span` of its class, or bare where it has none."""
    return f"<span class={sort}>{escape(text)}</span>" if sort else escape(text)


def highlighted(code: str) -> str:
    """HTML with a `span` of its class around each token."""
    return "".join(mark(sort, text) for sort, text in spans(code))
