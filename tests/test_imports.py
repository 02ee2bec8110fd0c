"""The import rule of the package: layers import downwards, and the runtime never imports PyTorch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

TORCH = {"torch", "pytorch_lightning", "compressai", "safetensors", "onnx"}


def imports(path: Path) -> set[str]:
    """Every absolute module name that a file imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def runtime_files() -> list[Path]:
    return sorted((ROOT / "codec").rglob("*.py"))


def name_of(path: Path) -> str:
    parts = ("ncodec", *path.relative_to(ROOT / "codec").with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {name_of(path): path for path in runtime_files() if path.parent != ROOT / "codec" or path.stem[0] != "_"}
    graph = {name: imports(path) & files.keys() - {name} for name, path in files.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) == len(files) > 50


@pytest.mark.parametrize("path", runtime_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_stays_in_networks_and_its_backend(path: Path) -> None:
    relative = path.relative_to(ROOT / "codec")
    if relative.parts[0] == "networks" or relative == Path("inference/torch.py"):
        return
    assert not {name.split(".")[0] for name in imports(path)} & TORCH


@pytest.mark.parametrize("path", runtime_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_runtime_knows_nothing_of_training_and_evaluation(path: Path) -> None:
    assert not any(name.startswith(("ncodec.training", "ncodec.eval")) for name in imports(path))


def test_encoding_and_decoding_load_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys, numpy, ncodec\n"
        "assert 'numpy' in sys.modules and 'PIL' not in sys.modules, 'import ncodec must be lazy'\n"
        "ncodec.decode(ncodec.encode(numpy.zeros((20, 20, 3), 'uint8')))\n"
        f"loaded = {TORCH!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
