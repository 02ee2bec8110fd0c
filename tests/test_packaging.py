"""The wheel holds everything, and works in an environment that has nothing else."""

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from places import ROOT

SOURCES = {
    "codec": "ncodec",
    "training": "ncodec.training",
    "eval": "ncodec.eval",
    "weights": "ncodec.weights",
}


def listed_packages() -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        packages: list[str] = tomllib.load(stream)["tool"]["setuptools"]["packages"]
    return packages


@pytest.mark.parametrize(
    ("system", "machine", "wanted"),
    [
        ("linux", "x86_64", True),
        ("darwin", "x86_64", True),
        ("darwin", "arm64", True),
        ("win32", "AMD64", True),
        ("win32", "ARM64", False),
        ("linux", "aarch64", False),
        ("linux", "armv7l", False),
    ],
)
def test_constriction_is_required_where_it_has_wheels(
    system: str, machine: str, wanted: bool
) -> None:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        lines = tomllib.load(stream)["project"]["dependencies"]
    (requirement,) = [found for found in map(Requirement, lines) if found.name == "constriction"]
    assert requirement.marker is not None
    place = {"sys_platform": system, "platform_machine": machine}
    assert requirement.marker.evaluate(place) == wanted


def test_every_folder_with_code_is_a_listed_package() -> None:
    found = set()
    for folder, package in SOURCES.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *inner]))
    assert found == set(listed_packages())


def test_no_code_lies_outside_a_package() -> None:
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the built wheel and its dependencies alone."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    bin_folder = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run(
        [bin_folder / "pip", "install", "--quiet", wheel], check=True, capture_output=True
    )
    return bin_folder


@pytest.mark.slow
def test_the_wheel_encodes_and_decodes_without_torch(installed: Path, tmp_path: Path) -> None:
    ncodec = str(installed / "ncodec")
    picture = str(ROOT / "docs" / "osprey.png")
    subprocess.run(
        [ncodec, "encode", picture, "-o", "a.nci", "--bpp", "0.5"], check=True, cwd=tmp_path
    )
    subprocess.run([ncodec, "decode", "a.nci"], check=True, cwd=tmp_path)
    subprocess.run([ncodec, "bench", "compare", picture], check=True, cwd=tmp_path)
    assert (tmp_path / "a.png").exists()
    names = subprocess.run(
        [installed / "pip", "list"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert not any(
        line.split()[0] in ("torch", "compressai", "pytorch-lightning")
        for line in names.splitlines()
        if line
    )


@pytest.mark.slow
def test_the_install_is_small(installed: Path) -> None:
    # Files are counted once each, as a disk would.
    total = sum(
        path.stat().st_blocks * 512 for path in installed.parent.rglob("*") if not path.is_symlink()
    )
    assert total <= 400e6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["train", "image", "--data", "."], "ncodec[train]"),
        (["encode", "a.png", "--backend", "torch"], "ncodec[torch]"),
    ],
)
def test_what_needs_torch_says_how_to_get_it(
    installed: Path, tmp_path: Path, command: list[str], sentence: str
) -> None:
    (tmp_path / "a.png").write_bytes((ROOT / "docs" / "osprey.png").read_bytes())
    result = subprocess.run(
        [installed / "ncodec", *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
