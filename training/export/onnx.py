"""Checkpoint → the folder of a model: ONNX graphs over one file of fp16 weights, integer tables,
`model.json`."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from ncodec.entropy.tables import Tables
from ncodec.grid import PATCH
from ncodec.inference.checks import Places, model_id, tensor_places
from ncodec.inference.entry import MODEL_FILE, PLAIN_FORMAT, write_entry
from ncodec.inference.graph_check import OPSET
from ncodec.inference.model import FRAME, PICTURE, RD_GRADIENT_FILE, TABLES_FILE, WEIGHTS_FILE
from ncodec.networks.complexity import decode_kmac, encode_kmac
from ncodec.networks.config import ImageConfig
from ncodec.networks.frame import (
    FrameModel,
    decode_halo_of_frame,
    halo_of_frame,
    picture_codec,
)
from ncodec.networks.graphs import (
    DecoderGraph,
    EncoderGraph,
    FrameDecoderGraph,
    FrameEncoderGraph,
    RdGradientGraph,
)
from ncodec.networks.image import ImageModel, decode_halo_of, halo_of
from ncodec.training.checkpoint import save_weights
from ncodec.training.export.calibrate import Examples, calibrate
from ncodec.training.export.freeze import freeze_tables
from ncodec.training.export.shapes import add_shapes

MSE = "mse"
"""the distortion of which an encoder knows the slopes"""


def round_to_half(model: nn.Module) -> None:
    """Round the weights to half precision, as stored, so that every backend runs equal numbers."""
    with torch.no_grad():
        for values in (*model.parameters(), *model.buffers()):
            values.copy_(values.half().float())


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
        proto = onnx.load(path)
    add_shapes(proto)
    return proto


def share_weights(
    proto: onnx.ModelProto, offsets: Places, *, weights_file: str = WEIGHTS_FILE
) -> None:
    """Point the graph's weights into a safetensors file, as fp16 that is cast when the graph is
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
        for key, value in (
            ("location", weights_file),
            ("offset", str(offset)),
            ("length", str(length)),
        ):
            tensor.external_data.add(key=key, value=value)
        casts.append(helper.make_node("Cast", [tensor.name], [final], to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def export_model(
    model: ImageModel | FrameModel,
    folder: Path,
    *,
    name: str,
    facts: dict[str, Any],
    examples: Examples | None = None,
) -> dict[str, Any]:
    """Write a model's graphs, weights, tables and `model.json` into `folder`, and return what that
    says.

    Weights are rounded to float16 in the model too. `facts` go into it beside the model's
    thousand multiply–accumulates a pixel. `examples` are what tables are fitted to (`calibrate`);
    without, they stay Gaussian. Raises ValueError for tables that cannot be decoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = freeze_tables(picture_codec(model))
    round_to_half(model)
    if examples is not None:
        tables = calibrate(model, tables, examples)
    save_weights(model, folder / WEIGHTS_FILE)
    save_tables(tables, folder / TABLES_FILE)
    with_gradient = isinstance(model, ImageModel) and facts.get("distortion", MSE) == MSE
    write_graphs(model, folder, with_gradient=with_gradient)
    entry = {
        "format": PLAIN_FORMAT,
        "id": model_id(tables, folder / WEIGHTS_FILE),
        "name": name,
        "kind": FRAME if isinstance(model, FrameModel) else PICTURE,
        **describe_files(folder),
        "architecture": asdict(model.config),
        **halos_of(model),
        "facts": {**costs_of(model), **facts},
    }
    write_entry(entry, folder)
    return entry


def costs_of(model: ImageModel | FrameModel) -> dict[str, float]:
    """Thousand multiply–accumulates a pixel of both directions, as in `model.json`."""
    return {
        "encode_kmac_per_pixel": round(encode_kmac(model), 2),
        "decode_kmac_per_pixel": round(decode_kmac(model), 2),
    }


def halos_of(model: ImageModel | FrameModel) -> dict[str, int]:
    """Halos of tiles in pixels, as in `model.json`."""
    if isinstance(model, FrameModel):
        halos = halo_of_frame(model.config), decode_halo_of_frame(model.config)
    else:
        halos = halo_of(model.config), decode_halo_of(model.config)
    return dict(zip(("halo", "decode_halo"), halos, strict=True))


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Hashes and sizes of the files in a model's folder, as in `model.json`."""
    files = sorted(path for path in folder.iterdir() if path.name != MODEL_FILE)
    contents = {path.name: path.read_bytes() for path in files}
    return {
        "sha256": {file: hashlib.sha256(data).hexdigest() for file, data in contents.items()},
        "bytes": {file: len(data) for file, data in contents.items()},
    }


def write_graphs(model: ImageModel | FrameModel, folder: Path, *, with_gradient: bool) -> None:
    """Write the graphs of a model beside its weights."""
    offsets = tensor_places(folder / WEIGHTS_FILE)
    graphs = _export_graphs(model)
    if with_gradient:
        graphs[RD_GRADIENT_FILE] = _export_rd_gradient(picture_codec(model))
    for file, proto in graphs.items():
        share_weights(proto, offsets)
        (folder / file).write_bytes(proto.SerializeToString())


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
        "decoder.onnx": export_decoder(
            FrameDecoderGraph(model) if isinstance(model, FrameModel) else DecoderGraph(model),
            config,
            known=known,
        ),
    }


def export_decoder(
    graph: FrameDecoderGraph | DecoderGraph,
    config: ImageConfig,
    *,
    known: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> onnx.ModelProto:
    """Graph of a decoder of symbols as `config` has them; `known` is the prediction of frames."""
    rgb_axes = {0: "height", 1: "width"}
    return _export_graph(
        graph,
        {
            "z_hat": torch.zeros(config.hyper, 2, 3, dtype=torch.int8),
            "residual": torch.zeros(config.latent, 7, 11, dtype=torch.int16),
            **known,
            "qp": torch.tensor([30.0]),
        },
        {"levels": rgb_axes},
        {
            "z_hat": {1: "cells_high", 2: "cells_wide"},
            "residual": {1: "high", 2: "wide"},
            **dict.fromkeys(known, rgb_axes),
        },
    )
