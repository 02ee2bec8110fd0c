"""Shapes of every array of a graph, in terms of the sizes of its inputs."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper

from ncodec.grid import HYPER_CELL, PATCH

_SAMPLES = (23, 37), (10, 13), (9, 16)
"""heights and widths of latents; no two axes below are equal at all three"""
Shape = tuple[int, ...]


def axes_of(high: int, wide: int) -> dict[str, int]:
    """Name → length of every axis of a graph whose latent is of high × wide."""
    cells = {"cells_high": -(-high // HYPER_CELL), "cells_wide": -(-wide // HYPER_CELL)}
    return {
        **cells,
        "high": high,
        "wide": wide,
        "quarter_high": 4 * high,
        "quarter_wide": 4 * wide,
        "height": PATCH * high,
        "width": PATCH * wide,
        "padded_high": HYPER_CELL * cells["cells_high"],
        "padded_wide": HYPER_CELL * cells["cells_wide"],
    }


def add_shapes(proto: onnx.ModelProto) -> None:
    """State the shapes of arrays whose size follows from that of the inputs, with the names of
    axes that `axes_of` gives; arrays of other sizes are left out.

    ONNX Runtime keeps its layout of channels in blocks through a sum or a product only where it
    knows that both shapes are equal. Shapes are those of runs at a few sizes.
    """
    sizes = [axes_of(*sample) for sample in _SAMPLES]
    names = {tuple(size[name] for size in sizes): name for name in sizes[0]}
    runs = [shapes_at(proto, size) for size in sizes]
    known = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    for name, (kind, _) in runs[0].items():
        shapes = [run[name][1] for run in runs]
        if name in known or len({len(shape) for shape in shapes}) > 1:
            continue
        dims = [_named(lengths, names) for lengths in zip(*shapes, strict=True)]
        if any(isinstance(dim, str) for dim in dims):
            proto.graph.value_info.append(helper.make_tensor_value_info(name, kind, dims))


def _named(lengths: Shape, names: dict[Shape, str]) -> int | str | None:
    """A length that is constant, an axis, or None for another."""
    return lengths[0] if len(set(lengths)) == 1 else names.get(lengths)


def shapes_at(proto: onnx.ModelProto, size: dict[str, int]) -> dict[str, tuple[int, Shape]]:
    """Name of each array that a graph makes → type, a number of ONNX's, and shape, in a run at one
    size, as of `axes_of`."""
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    made = [name for node in proto.graph.node for name in node.output]
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    arrays = session.run(made, {value.name: _zeros(value, size) for value in proto.graph.input})
    return {
        name: (helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(made, arrays, strict=True)
    }


def _zeros(value: onnx.ValueInfoProto, size: dict[str, int]) -> npt.NDArray[Any]:
    kind = value.type.tensor_type
    shape = [size.get(dim.dim_param, dim.dim_value) for dim in kind.shape.dim]
    return np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind.elem_type))
