"""Where things lie."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
KODAK = ROOT.parent / "shared" / "data" / "kodak"
