"""The rule of decoders without a fuzzer: corpus, inputs that once broke it, seeded mutations."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from fuzz.changes import changed
from fuzz.containers import mutated, sealed
from fuzz.rule import RuleError, hold
from fuzz.targets import TARGETS
from places import ROOT

from ncodec.api.clip_info import video_info
from ncodec.errors import FormatError

FOLDER = ROOT / "tests" / "fuzz"
GOLDEN = {"pictures": "*.nci", "streams": "*.ncv", "packed": "*.ncz", "tensors": "*.nct"}
MUTATIONS = {
    "pictures": 150,
    "streams": 40,
    "frames": 300,
    "cells": 2000,
    "records": 5000,
    "exif": 1000,
    "colours": 2000,
    "packed": 2000,
    "tensors": 2000,
}


def inputs(kind: str) -> Iterator[tuple[str, Path]]:
    for name in TARGETS:
        for path in sorted((FOLDER / kind / name).glob("*")):
            yield name, path


def names_of(found: list[tuple[str, Path]]) -> list[str]:
    return [f"{name}/{path.name}" for name, path in found]


SEEDS = list(inputs("corpus"))
REGRESSIONS = list(inputs("regressions"))


@pytest.mark.parametrize(("name", "path"), SEEDS, ids=names_of(SEEDS))
def test_the_corpus_decodes(name: str, path: Path) -> None:
    if name == "packed" or path.name == "mixed":
        pytest.importorskip("numba")
    assert hold(TARGETS[name], path.read_bytes())


@pytest.mark.parametrize(("name", "path"), REGRESSIONS, ids=names_of(REGRESSIONS))
def test_what_once_broke_the_rule_keeps_it(name: str, path: Path) -> None:
    hold(TARGETS[name], sealed(path.read_bytes()))


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_keep_the_rule(name: str) -> None:
    random = Random(name)
    seeds = [path.read_bytes() for target, path in SEEDS + REGRESSIONS if target == name]
    golden = sorted((ROOT / "tests" / "golden").rglob(GOLDEN[name])) if name in GOLDEN else []
    seeds += [path.read_bytes() for path in golden]
    for number in range(MUTATIONS[name]):
        data = mutated(random.choice(seeds), random, lambda part: changed(part, random))
        try:
            hold(TARGETS[name], data)
        except Exception as error:
            error.add_note(f"mutation {number} of {name}: {data.hex()}")
            raise


def test_mutations_pass_checksums() -> None:
    random = Random(1)
    (path,) = (path for name, path in SEEDS if (name, path.name) == ("streams", "screen"))
    refused, found = 0, set()
    for _ in range(100):
        data = mutated(path.read_bytes(), random, lambda part: changed(part, random))
        found.add(data)
        try:
            video_info(data)
        except FormatError as error:
            refused += "checksum" in str(error)
    assert len(found) > 90
    assert refused < 10, "cut chunks alone"


def test_the_rule_is_broken_by_other_errors_and_time() -> None:
    def spend_time(data: bytes) -> None:
        end = time.process_time() + len(data) / 1000
        while time.process_time() < end:
            pass

    assert hold(spend_time, b"1")
    with pytest.raises(RuleError, match="1100 bytes took"):
        hold(spend_time, bytes(1100))
    with pytest.raises(ZeroDivisionError):
        hold(lambda data: print(1 // len(data)), b"")


def test_the_rule_is_broken_by_memory() -> None:
    """In a process of its own, because memory that was taken before is not counted again."""
    spend = "lambda data: bytes(bytearray(len(data) * 2**20))"
    code = f"from fuzz.rule import hold; [hold({spend}, bytes(n)) for n in (1, 300)]"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RuleError: 300 bytes took" in result.stderr
