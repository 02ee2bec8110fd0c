"""Where things lie, and what is skipped where they do not."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KODAK = ROOT.parent / "shared" / "data" / "kodak"


def require_browser(*, allow_module_level: bool = False) -> None:
    """Skip where Chromium or its driver is missing; fail if FAIL_WITHOUT_BROWSER is set, as it is
    in CI."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return
    reason = "Chromium and its driver are not installed (make browser)"
    if os.environ.get("FAIL_WITHOUT_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=allow_module_level)
