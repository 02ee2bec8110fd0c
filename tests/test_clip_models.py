"""Streams of models that are not installed are refused by name."""

import io
from fractions import Fraction
from pathlib import Path

from click.testing import CliRunner
from test_cli import call, fails

from ncodec.cli.main import cli


def test_a_model_that_is_not_installed_is_named(folder: Path) -> None:
    from ncodec.container.ncv import StreamWriter
    from ncodec.container.records import StreamHeader

    sink = io.BytesIO()
    StreamWriter(sink, StreamHeader(0x01020304, 0, 64, 64, Fraction(1, 25), Fraction(25))).finish()
    Path("other.ncv").write_bytes(sink.getvalue())
    fails(
        call("decode", "other.ncv", "-o", "x.mkv"),
        "this needs model 01020304, which is not installed",
    )
    sink = io.BytesIO()
    StreamWriter(
        sink, StreamHeader(0x01020304, 0, 16384, 16384, Fraction(1, 25), Fraction(25))
    ).finish()
    Path("large.ncv").write_bytes(sink.getvalue())
    fails(call("decode", "large.ncv", "-o", "x.mkv"), "--allow-large")
    assert CliRunner().invoke(cli, ["info", "large.ncv"]).exit_code == 0
