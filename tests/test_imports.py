"""The import rule of the package: layers import downwards, and the runtime never imports PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

LAYERS = [
    {"errors"},
    {"varint", "picture", "icc_profile", "suffixes", "effort", "repeats", "activity"},
    {"chunks", "vp8l"},
    {"bitstream"},
    {"tables", "quality"},
    {"entropy", "goal", "hidden", "colours", "exif"},
    {"tiles", "distortion"},
    {"exact", "lossless_cost"},
    {"cell_outcome"},
    {"model", "motion", "records", "rounding", "exact_choice", "filling"},
    {"picture_file"},
    {"flags"},
    {"stream", "vectors", "tracks"},
    {"kept"},
    {"backends", "zoo", "models", "motion_search", "golden_frame"},
    {"golden_search", "refinement", "plan"},
    {"image"},
    {"rate_target"},
    {"predictor", "scroll", "control"},
    {"frame_cells"},
    {"frame_choice"},
    {"video"},
    {"ahead"},
    {"sequence"},
    {"files", "clip_reader"},
    {"clip_writer"},
    {"transcode"},
    {"api"},
    {"clip_api"},
    {"console", "pillow_plugin"},
    {"clip_jobs"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
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


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT / "codec").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", runtime_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    if path == ROOT / "codec" / "__init__.py":
        return
    level = LEVEL[layer_of(path)]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "ncodec" and len(parts) > 1 and parts[1] in LEVEL and parts[1] != layer_of(path):
            same_side = path.match("codec/backends/torch.py") and parts[1] == "models"
            assert LEVEL[parts[1]] < level or same_side, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", runtime_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_stays_in_models_and_its_backend(path: Path) -> None:
    relative = path.relative_to(ROOT / "codec")
    if relative.parts[0] == "models" or relative == Path("backends/torch.py"):
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
