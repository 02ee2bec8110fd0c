"""The import rule: folders import downwards, and the runtime never imports PyTorch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

GROUND = {"ground"}
RUNTIME = GROUND | {
    "container", "entropy", "exact", "inference", "image", "lossless", "tensors", "video", "media",
    "streaming", "api", "batch",
}  # fmt: skip
SEEN = {
    "ground": set(),
    "container": GROUND,
    "entropy": GROUND | {"container"},
    "exact": GROUND | {"container", "entropy", "lossless"},
    "lossless": GROUND | {"container"},
    "tensors": GROUND | {"container", "entropy"},
    "networks": GROUND | {"entropy"},
    "inference": GROUND | {"container", "entropy"},
    "image": GROUND | {"container", "entropy", "exact", "inference"},
    "video": GROUND | {"container", "entropy", "exact", "inference", "image"},
    "media": GROUND | {"container"},
    "streaming": GROUND | {"container", "media"},
    "api": RUNTIME - {"api", "batch"},
    "batch": GROUND | {"media", "api"},
    "cli": GROUND | {"container", "media", "api", "batch"},
    "pillow_plugin": GROUND | {"container", "media", "api"},
    "__init__": GROUND | {"api"},
    "__main__": {"cli"},
    "eval": GROUND | {"media", "streaming", "api", "batch"},
    "training": RUNTIME | {"networks"},
}
"""what the modules of each folder may import; every module of codec/ that is in no folder is ground
"""
TORCH_ROOM = "ncodec.inference.torch"
"""the one module beside training that sees the networks"""
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


def all_files() -> list[Path]:
    return [
        *runtime_files(),
        *(path for name in ("eval", "training") for path in sorted((ROOT / name).rglob("*.py"))),
    ]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("ncodec", *(parts[1:] if parts[0] == "codec" else parts))).removesuffix(
        ".__init__"
    )


def room_of(name: str) -> str:
    """The folder of a module, or the module itself where it has a rule of its own."""
    first = name.split(".")[1]
    has_folder = (ROOT / "codec" / first).is_dir() or first in ("eval", "training", "weights")
    return first if has_folder or first in SEEN else "ground"


@pytest.mark.parametrize("path", all_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    own = "__init__" if path == ROOT / "codec" / "__init__.py" else room_of(name_of(path))
    names = {name for name in imports(path) if name.startswith("ncodec.") and is_module(name)}
    foreign = {name for name in names if room_of(name) not in SEEN[own] | {own}}
    if name_of(path) == TORCH_ROOM:
        foreign = {name for name in foreign if room_of(name) != "networks"}
    assert not foreign, f"{path.name} of {own} imports {sorted(foreign)}"


def is_module(name: str) -> bool:
    """Whether a dotted name is a module, and not a name in one or a folder."""
    first, *rest = name.split(".")[1:]
    base = ROOT if first in ("eval", "training", "weights") else ROOT / "codec"
    return base.joinpath(first, *rest).with_suffix(".py").exists()


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {name_of(path): path for path in all_files() if path.stem != "__init__"}
    graph = {name: imports(path) & files.keys() - {name} for name, path in files.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) == len(files) > 100


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
