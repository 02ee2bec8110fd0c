"""Blocks of figures in documents, made from the measured results under `results/<version>`.

`python -m ncodec.eval.figures DOCUMENT...` rewrites them; with --check it only compares.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ncodec.errors import InputError

RESULTS = Path(__file__).parent / "results" / "0.1.0"
SHORT = ("JPEG 4:2:0", "WebP", "JPEG 2000", "JPEG XL", "AVIF 4:4:4", "HEIC 4:4:4", "H.265 intra")
"""anchors of the short table"""
_BLOCK = re.compile(r"<!-- figures: ([a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)

Result = dict[str, Any]


def load_result(name: str) -> Result:
    """A file of results: its command, date, machine and figures; raises InputError."""
    path = RESULTS / f"{name}.json"
    try:
        result: Result = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: expected measured results, got none that can be read: {error}"
        raise InputError(msg) from error
    return result


def _code(text: str, language: str = "") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _command(result: Result) -> str:
    return _code(result["command"], "bash")


def _made(result: Result) -> str:
    return f"Version {result['version']}, {result['date']}, {result['machine']}."


def _printed(name: str) -> str:
    """The command of a result and the lines that it printed."""
    result = load_result(name)
    printed = "\n".join(result["printed"])
    return f"{_command(result)}\n\n{_code(printed)}\n\n{_made(result)}"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:+.1f} %"


def _rates(name: str, *, only: tuple[str, ...] | None = None) -> str:
    """A table of BD-rates of ncodec against other codecs, a column for each metric."""
    result = load_result(name)
    labels, keys = zip(*result["metrics"].items(), strict=True)
    lines = [f"| BD-rate of ncodec against | {' | '.join(keys)} |", "|---" * (1 + len(keys)) + "|"]
    for anchor, rates in result["bd_rate"].items():
        if only is None or anchor in only:
            cells = " | ".join(_percent(rates.get(label)) for label in labels)
            lines.append(f"| {anchor} | {cells} |")
    return "\n".join(lines)


def _report(name: str) -> str:
    """The command of a report and its table of BD-rates."""
    result = load_result(name)
    return f"{_command(result)}\n\n{_rates(name)}\n\n{_made(result)}"


BLOCKS: dict[str, Callable[[], str]] = {
    "kodak-rd": lambda: _printed("kodak-rd"),
    "kodak-short": lambda: _rates("kodak-report", only=SHORT),
    "kodak-report": lambda: _report("kodak-report"),
    "speed": lambda: _printed("speed"),
    "symbols": lambda: _printed("symbols"),
    "clips-report": lambda: _report("clips-report"),
}
"""name → Markdown"""


def with_figures(text: str) -> str:
    """A document with every marked block made anew; raises InputError for an unknown name."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        if name not in BLOCKS:
            msg = f"expected figures among {', '.join(BLOCKS)}, got {name}"
            raise InputError(msg)
        return f"<!-- figures: {name} -->\n{BLOCKS[name]()}\n<!-- end -->"

    return _BLOCK.sub(block, text)


@click.command()
@click.argument("documents", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; exit 1 where a block is outdated.")
def main(documents: tuple[Path, ...], check: bool) -> None:
    """Make the blocks of figures in DOCUMENTS from the measured results."""
    outdated = []
    for path in documents:
        before = path.read_text("utf-8")
        after = with_figures(before)
        if after != before:
            outdated.append(str(path))
            if not check:
                path.write_text(after, "utf-8")
    if check and outdated:
        click.echo(f"outdated figures (make figures): {', '.join(outdated)}", err=True)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
