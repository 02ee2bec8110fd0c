"""Small files that claim to be large cost nothing before they are refused."""

import json
import os
import subprocess
import sys

from fuzz.claims import MOST_BYTES
from places import ROOT

MOST_SECONDS = 1.0
MOST_MEGABYTES = 64


def test_claims_of_small_files_cost_nothing() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    ran = subprocess.run(
        [sys.executable, "-m", "fuzz.claims"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(lines) > 50
    for file, size, use, outcome, seconds, megabytes in lines:
        what = f"{use} of {file}: {outcome}"
        assert size <= MOST_BYTES, what
        assert seconds < MOST_SECONDS, what
        assert megabytes < MOST_MEGABYTES, what
        assert outcome != "read" or use == "info", what
