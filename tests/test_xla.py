"""A training step on an XLA device is one program; needs the environment of `make xla`."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from places import ROOT

pytest.importorskip("pytorch_lightning")

COMMAND = [sys.executable, "-m", "ncodec.training.xla", "--data", "docs", "--data", "tests/golden"]
SMALL = ["--crops.crop=64", "--crops.batch=2"]


def count() -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PJRT_DEVICE": "CPU"}
    return subprocess.run(
        [*COMMAND, *SMALL], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch_xla") is None, reason="torch_xla is not installed")
def test_twenty_steps_compile_few_programs_and_leave_nothing_to_the_host() -> None:
    result = count()
    assert result.returncode == 0, result.stderr
    assert "operations left to the host: none" in result.stdout
    assert "nan" not in result.stderr.splitlines()[-1]


@pytest.mark.skipif(find_spec("torch_xla") is not None, reason="torch_xla is installed")
def test_without_torch_xla_the_missing_extra_is_named() -> None:
    result = count()
    assert result.returncode == 1
    assert (
        result.stderr.splitlines()[-1] == "Error: this needs torch_xla: pip install 'ncodec[tpu]'"
    )
