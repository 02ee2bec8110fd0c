"""Pages beside a stream: a player, and a report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_pages(record: Mapping[str, Any], folder: Path) -> None:
    """Write index.html with a player, which needs no network, and report.html."""
