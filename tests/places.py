"""Where things lie, and what is skipped where they do not."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KODAK = ROOT.parent / "shared" / "data" / "kodak"


PLAYERS = ROOT / "tests" / "players" / "node_modules"


def require_browser(*, allow_module_level: bool = False) -> None:
    """Skip where Chromium or its driver is missing; fail if FAIL_WITHOUT_BROWSER is set, as it is
    in CI."""
    found = shutil.which("chromium") and shutil.which("chromedriver")
    reason = "Chromium and its driver are not installed (make browser)"
    _require(bool(found), reason, allow_module_level=allow_module_level)


def require_firefox() -> None:
    """Skip, or fail in CI, where Firefox is missing."""
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    _require(bool(found), "Firefox is not installed (make browser)")


def require_players() -> None:
    """Skip, or fail in CI, where the players are missing."""
    _require(PLAYERS.is_dir(), "the players are not installed (make players)")


def _require(found: bool, reason: str, *, allow_module_level: bool = False) -> None:
    if found:
        return
    if os.environ.get("FAIL_WITHOUT_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=allow_module_level)
