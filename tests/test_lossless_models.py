"""Models of lossless coding: the same everywhere, and as the format's page states them."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT
from reference_mixing import Reader
from test_lossless import INPUTS, NETWORKS, TEXT

import ncodec
from ncodec.lossless.histories import LIMITS, histories
from ncodec.lossless.logistic import ONE, PEAK, UNITS, logistic

pytest.importorskip("numba")

import numpy as np

from ncodec.lossless import contexts, memory, profiles
from ncodec.lossless.filters import turn_calls
from ncodec.training.priors import CHANGES, repository_examples, trained_priors


@pytest.mark.parametrize("name", ["text", "records", "repeated", "sound"])
@pytest.mark.parametrize("profile", [contexts.TEXT, contexts.RECORDS, contexts.STEREO])
@pytest.mark.parametrize("shape", [memory.FAST, memory.MAX], ids=lambda shape: shape.name)
def test_a_second_reader_reads_the_same(name: str, profile: int, shape: memory.Shape) -> None:
    """One in plain Python, after codec/FORMAT.md."""
    data = INPUTS[name][-1500:]
    code = profiles.code_block(np.frombuffer(data, np.uint8), profile, shape)
    reader = Reader(code, len(data), profile, shape.name)
    assert reader.unpack() == data
    assert reader.read == len(code)


def test_histories_forget_what_is_contradicted() -> None:
    tables = histories()
    state = 0
    for _ in range(60):
        state = int(tables.following[state, 1])
    assert tables.seen[state] == LIMITS[0]
    surprised = int(tables.following[state, 0])
    assert tables.seen[surprised] < 10
    assert tables.ones[surprised] < tables.ones[state]
    assert len({tuple(row) for row in tables.following.tolist()}) > 200


def test_logits_are_the_same_by_any_exponential() -> None:
    """No value that is rounded lies so near a half that an error of libraries could move it."""
    odds = np.exp(np.arange(-PEAK, PEAK + 1) / UNITS)
    chances = (np.arange(4096) + 0.5) / 4096
    for exact in (ONE * odds / (1 + odds), UNITS * np.log(chances / (1 - chances))):
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-6
    tables = logistic()
    assert (np.diff(tables.squash) >= 0).all()
    assert (np.diff(tables.stretch) >= 0).all()


PROGRAM = """
import hashlib, sys
import ncodec
data = open(sys.argv[1], "rb").read()
for method in ("fast", "max"):
    print(hashlib.sha256(ncodec.pack(data, method=method)).hexdigest())
for method in sys.argv[3:]:
    print(hashlib.sha256(ncodec.pack(data[:1500], method=method)).hexdigest())
sound = open(sys.argv[2], "rb").read()
print(hashlib.sha256(ncodec.pack(sound)).hexdigest())
"""


def digests(tmp_path: Path, methods: tuple[str, ...], **environment: str) -> list[str] | None:
    """Hashes of packed text and sound in a process of its own; None where it does not run."""
    (tmp_path / "sound").write_bytes(INPUTS["sound"])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT / "README.md"), str(tmp_path / "sound"), *methods],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.split() if done.returncode == 0 else None


@pytest.mark.parametrize("features", ["", "+avx2,+fma"])
def test_every_instruction_set_gives_the_same_bytes(features: str, tmp_path: Path) -> None:
    """Compiled for the least x86-64 or ARM without optimizations, and with vectors of AVX2, as for
    this processor."""
    level = "3" if features else "0"
    slow = () if features else NETWORKS
    made = digests(
        tmp_path, slow, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features, NUMBA_OPT=level
    )
    if features and made is None:
        pytest.skip("this processor has no AVX2")
    assert made is not None
    assert made == digests(tmp_path, slow)
    assert len(set(made)) == 3 + len(slow)


GOLDEN = {"fast": "f61e714df17bed52", "max": "fa0d667bc5fea851"}


KERNELS = """
import ncodec
from ncodec.lossless import kernels, mixing
from ncodec.lossless.memory import CMIX, MAX
ncodec.pack(b"to be or not to be " * 9, method="cmix")
for shape in (MAX, CMIX):
    kernel = mixing.kernel_of(shape)
    assert kernel._cache._cache_file._source_stamp[0] == kernels._sources()
    print(sum(kernel.stats.cache_misses.values()))
"""


def test_kernels_are_compiled_once_and_anew_after_any_change() -> None:
    """Machine code is kept under a digest of all sources, and found by the next process."""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", KERNELS], capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == ["0", "0"]


@pytest.mark.parametrize(("name", "golden"), GOLDEN.items())
def test_priors_never_change(name: str, golden: str) -> None:
    """Every file that was packed needs them as they were."""
    data = (ROOT / "codec" / "lossless" / f"priors_{name}.npz").read_bytes()
    with np.load(io.BytesIO(data)) as known:
        digest = hashlib.sha256(b"".join(known[name].tobytes() for name in memory.KNOWN))
    assert digest.hexdigest()[:16] == golden


@pytest.mark.parametrize("shape", [memory.FAST, memory.MAX], ids=lambda shape: shape.name)
def test_priors_are_what_examples_leave_behind(shape: memory.Shape) -> None:
    examples = {contexts.TEXT: TEXT, contexts.RECORDS: INPUTS["records"]}
    made = trained_priors(examples, shape)
    assert made.keys() == set(memory.KNOWN)
    for profile in examples:
        shipped = memory.fresh_memory(1, profile, shape)
        assert all(made[name][profile].shape == getattr(shipped, name).shape for name in made)
    assert 0 < made["changes"].max() <= CHANGES
    assert (made["weights"][0] != made["weights"][1]).any()


def test_examples_of_priors_are_the_repository() -> None:
    examples = repository_examples(ROOT)
    assert b"# ncodec" in examples[contexts.TEXT]
    assert all(len(example) > 2**18 for example in examples.values())


@pytest.mark.parametrize(
    ("packed", "whole", "method"),
    [
        ("text.ncz", "text.txt", "fast"),
        ("text-max.ncz", "text.txt", "max"),
        ("sound.ncz", "sound.pcm", "fast"),
    ],
)
def test_golden_files_unpack(packed: str, whole: str, method: str) -> None:
    folder = ROOT / "tests" / "golden" / "0.1.0"
    expected, golden = (folder / whole).read_bytes(), (folder / packed).read_bytes()
    assert ncodec.unpack(golden) == expected
    assert ncodec.pack(expected, method=method) == golden


def test_machine_code_and_sound_are_told_from_other_bytes() -> None:
    """Sound takes fewer bits by its own profile, and calls of x86 by where they lead to."""
    kinds = {"sound": profiles.Profile.STEREO, "machine code": profiles.Profile.MACHINE_CODE,
             "text": profiles.Profile.TEXT}  # fmt: skip
    for name, profile in kinds.items():
        payload = profiles.mix(np.frombuffer(INPUTS[name], np.uint8), memory.FAST)
        assert payload[0] == profile


@given(st.binary(max_size=300).map(lambda data: data.replace(b"a", b"\xe8").replace(b"b", b"\xff")))
def test_calls_turn_back(data: bytes) -> None:
    turned = np.frombuffer(data, np.uint8).copy()
    turn_calls(turned, False)
    turn_calls(turned, True)
    assert turned.tobytes() == data
