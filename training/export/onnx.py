"""Checkpoint → weights/: ONNX graphs over one file of fp16 weights, integer tables, a manifest
entry."""

import hashlib
import json
import struct
import warnings
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from ncodec.entropy.tables import Tables
from ncodec.errors import ModelError
from ncodec.grid import PATCH
from ncodec.inference.model import FRAME, PICTURE, RD_GRADIENT_FILE, TABLES_FILE
from ncodec.inference.zoo import MANIFEST
from ncodec.networks.complexity import decode_kmac, encode_kmac
from ncodec.networks.frame import FrameModel, halo_of_frame, picture_codec
from ncodec.networks.graphs import (
    DecoderGraph,
    EncoderGraph,
    FrameDecoderGraph,
    FrameEncoderGraph,
    RdGradientGraph,
)
from ncodec.networks.image import ImageModel, halo_of
from ncodec.training.checkpoint import save_weights
from ncodec.training.export.calibrate import Examples, calibrate
from ncodec.training.export.freeze import freeze_tables

WEIGHTS_FILE = "image.safetensors"
OPSET = 17
MSE = "mse"
"""the distortion of which an encoder knows the slopes"""
DECODER_PARTS = ("means.", "log_inverse_gain.", "synthesis.", "context.")


def _round_to_half(model: nn.Module) -> None:
    """Round the weights to half precision, as stored, so that every backend runs equal numbers."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())


def save_tables(tables: Tables, path: Path) -> None:
    """Write the integer tables as `ncodec.inference.model` reads them."""
    of_frames: dict[str, Any] = {}
    if tables.adapted is not None:
        z_adapted, r_adapted = tables.adapted
        of_frames = {"after": np.stack(tables.after), "still": tables.still}
        of_frames |= {"z_adapted": z_adapted, "r_adapted": r_adapted}
    np.savez_compressed(
        path,
        counts=np.concatenate(tables.counts),
        sizes=np.array([len(c) for c in tables.counts]),
        weight=tables.weight,
        bias=tables.bias,
        z_rows=tables.z_rows,
        shift=np.array(tables.shift),
        **of_frames,
    )


def _safetensors_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Tensor name → (offset in the file, length), from the format's JSON header."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    base = 8 + length
    header.pop("__metadata__", None)
    return {
        name: (base + e["data_offsets"][0], e["data_offsets"][1] - e["data_offsets"][0])
        for name, e in header.items()
    }


def _export_graph(
    graph: nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: dict[str, dict[int, str]],
    axes: dict[str, dict[int, str]],
) -> onnx.ModelProto:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "graph.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            tuple(inputs.values()),
            path,
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={**axes, **outputs},
        )
        return onnx.load(path)


def _share_weights(proto: onnx.ModelProto, offsets: dict[str, tuple[int, int]], file: str) -> None:
    """Point the graph's weights into the safetensors file, as fp16 that is cast when the graph is
    loaded."""
    casts = []
    for tensor in proto.graph.initializer:
        name = tensor.name.removeprefix("model.")
        if name not in offsets:
            continue
        offset, length = offsets[name]
        final, tensor.name = tensor.name, f"{tensor.name}.half"
        tensor.ClearField("raw_data")
        tensor.data_type = TensorProto.FLOAT16
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", file), ("offset", str(offset)), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
        casts.append(helper.make_node("Cast", [tensor.name], [final], to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def model_id(tables: Tables, state: dict[str, torch.Tensor]) -> str:
    """Eight hex digits of the SHA-256 over what decides a decoded picture: integer tables and
    decoder weights."""
    digest = hashlib.sha256()
    for array in (
        *tables.counts,
        tables.weight,
        tables.bias,
        tables.z_rows,
        *tables.after,
        *(tables.adapted or ()),
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(bytes([tables.still] if tables.after else []))
    for name in sorted(
        name for name in state if name.removeprefix("codec.").startswith(DECODER_PARTS)
    ):
        digest.update(state[name].numpy().tobytes())
    return digest.hexdigest()[:8]


def export_model(
    model: ImageModel | FrameModel,
    folder: Path,
    *,
    name: str,
    facts: dict[str, Any],
    examples: Examples | None = None,
) -> dict[str, Any]:
    """Write a model's graphs, weights and tables into `folder`, and return its manifest entry.

    Weights are rounded to float16 in the model too. `facts` go into the entry beside the model's
    thousand multiply–accumulates a pixel. `examples` are what tables are fitted to (`calibrate`);
    without, they stay Gaussian. Raises ValueError for tables that cannot be decoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = freeze_tables(picture_codec(model))
    _round_to_half(model)
    if examples is not None:
        tables = calibrate(model, tables, examples)
    state = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_weights(model, folder / WEIGHTS_FILE)
    save_tables(tables, folder / TABLES_FILE)
    offsets = _safetensors_offsets(folder / WEIGHTS_FILE)
    graphs = _export_graphs(model)
    if isinstance(model, ImageModel) and facts.get("distortion", MSE) == MSE:
        graphs[RD_GRADIENT_FILE] = _export_rd_gradient(model)
    for file, proto in graphs.items():
        _share_weights(proto, offsets, WEIGHTS_FILE)
        (folder / file).write_bytes(proto.SerializeToString())
    files = sorted([*graphs, WEIGHTS_FILE, TABLES_FILE])
    return {
        "id": model_id(tables, state),
        "name": name,
        "kind": FRAME if isinstance(model, FrameModel) else PICTURE,
        "folder": folder.name,
        "sha256": {
            file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files
        },
        "bytes": {file: (folder / file).stat().st_size for file in files},
        "architecture": asdict(model.config),
        "halo": halo_of_frame(model.config)
        if isinstance(model, FrameModel)
        else halo_of(model.config),
        "facts": {
            "encode_kmac_per_pixel": round(encode_kmac(model), 2),
            "decode_kmac_per_pixel": round(decode_kmac(model), 2),
            **facts,
        },
    }


def _export_rd_gradient(model: ImageModel) -> onnx.ModelProto:
    latent = torch.zeros(model.config.latent, 7, 11)
    axes = {1: "high", 2: "wide"}
    return _export_graph(
        RdGradientGraph(model),
        {
            "pixels": torch.zeros(7 * PATCH, 11 * PATCH, 3, dtype=torch.uint8),
            "latent": latent,
            "z_hat": torch.zeros(model.config.hyper, 2, 3, dtype=torch.int8),
            "residual": latent.to(torch.int16),
            "coded": latent > 0,
            "reround": torch.tensor([True]),
            "form": torch.eye(48),
            "qp": torch.tensor([30.0]),
        },
        {"settled": axes, "slope": axes, "curvature": {}, "cost": {0: "high", 1: "wide"}},
        {
            "pixels": {0: "height", 1: "width"},
            "z_hat": {1: "cells_high", 2: "cells_wide"},
            **dict.fromkeys(("latent", "residual", "coded"), axes),
        },
    )


def _export_graphs(model: ImageModel | FrameModel) -> dict[str, onnx.ModelProto]:
    """The graphs of a model, for pictures of any size that is a multiple of 16."""
    config = picture_codec(model).config
    qp = {"qp": torch.tensor([30.0])}
    pixels = torch.zeros(7 * 16, 11 * 16, 3, dtype=torch.uint8)
    z_hat = torch.zeros(config.hyper, 2, 3, dtype=torch.int8)
    residual = torch.zeros(config.latent, 7, 11, dtype=torch.int16)
    z_axes, r_axes = {1: "cells_high", 2: "cells_wide"}, {1: "high", 2: "wide"}
    rgb_axes = {0: "height", 1: "width"}
    known = {"predicted": pixels} if isinstance(model, FrameModel) else {}
    known_axes = dict.fromkeys(known, rgb_axes)
    exact = {"exact": torch.zeros(2, 3, dtype=torch.bool)}
    return {
        "encoder.onnx": _export_graph(
            FrameEncoderGraph(model) if isinstance(model, FrameModel) else EncoderGraph(model),
            {"pixels": pixels, **known, **exact, **qp},
            {
                "z_hat": z_axes,
                "residual": r_axes,
                **({} if known else {"latent": r_axes}),
                "levels": rgb_axes,
            },
            {"pixels": rgb_axes, **known_axes, "exact": {0: "cells_high", 1: "cells_wide"}},
        ),
        "decoder.onnx": _export_graph(
            FrameDecoderGraph(model) if isinstance(model, FrameModel) else DecoderGraph(model),
            {"z_hat": z_hat, "residual": residual, **known, **qp},
            {"levels": rgb_axes},
            {"z_hat": z_axes, "residual": r_axes, **known_axes},
        ),
    }


def write_manifest(entry: dict[str, Any], weights: Path) -> None:
    """Put an entry into `weights`/manifest.json, first of its kind, in place of one with its name.

    Pictures come before frames; a manifest is made where there is none. Raises ModelError where the
    entry's folder is that of another model.
    """
    path = weights / MANIFEST
    manifest = json.loads(path.read_text("utf-8")) if path.exists() else {"models": []}
    entries = manifest["models"]
    if any(e["folder"] == entry["folder"] and e["name"] != entry["name"] for e in entries):
        msg = f"folder {entry['folder']} belongs to another model"
        raise ModelError(msg)
    others = [e for e in entries if e["name"] != entry["name"]]
    entries = sorted([entry, *others], key=lambda e: bool(e.get("kind", PICTURE) != PICTURE))
    path.write_text(
        json.dumps({**manifest, "models": entries}, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
