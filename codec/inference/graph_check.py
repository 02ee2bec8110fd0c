"""ONNX files that anyone may have made: what a graph may hold, read without building it.

A graph may use the operators of exported models alone, from ONNX's own domain. It has no subgraphs
and no functions, so nothing in it loops, and no weights but those of the model's own weights file.
"""

import math
from collections.abc import Iterator

import numpy as np

from ncodec.inference.model import WEIGHTS_FILE

OPSET = 17
MOST_NODES = 2**14
MOST_AXES = 8
LARGEST_CONSTANT = 2**12
"""bytes of a tensor in the graph itself"""
LARGEST_NUMBER = 2**16
"""magnitude of whole numbers: sizes, places and axes"""
OPERATORS = frozenset(
    b"Abs Add And AveragePool Cast Clip Concat Constant ConstantOfShape Conv ConvTranspose "
    b"DepthToSpace DequantizeLinear Div Equal Exp Gather Greater GreaterOrEqual HardSigmoid "
    b"Identity LeakyRelu Less MatMul Max Min Mod Mul Neg Pad Pow QuantizeLinear Range "
    b"Reciprocal ReduceSum Reshape Resize Round Shape Slice Sqrt Squeeze Sub Transpose "
    b"Unsqueeze Where".split()
)
ATTRIBUTES = frozenset(
    b"allowzero alpha axis blocksize ceil_mode coordinate_transformation_mode count_include_pad "
    b"cubic_coeff_a dilations fmod group keepdims kernel_shape mode nearest_mode pads perm strides "
    b"to value".split()
)
TYPES = {1: 4, 2: 1, 3: 1, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}
"""ONNX's number of a type → bytes of an element"""
INT32, INT64, FLOAT16 = 6, 7, 10
_ENDS = (-(2**63), -(2**63) + 1, 2**63 - 1)
"""of a slice to the end of an axis"""

# Fields by their number, as of onnx.proto. Others are refused, what they mean need not be known.
_MODEL = {1: "ir_version", 2: "producer", 3: "producer_version", 7: "graph", 8: "opset"}
_OPSET = {1: "domain", 2: "version"}
_GRAPH = {1: "node", 2: "name", 5: "initializer", 11: "input", 12: "output", 13: "value_info"}
_NODE = {1: "input", 2: "output", 3: "name", 4: "operator", 5: "attribute", 6: "doc", 7: "domain"}
_ATTRIBUTE = {1: "name", 2: "f", 3: "i", 4: "s", 5: "t", 8: "ints", 20: "type"}
_TENSOR = {1: "dims", 2: "type", 8: "name", 9: "raw", 13: "external", 14: "location"}
_ENTRY = {1: "key", 2: "value"}

Message = dict[str, list[int | bytes]]


def check_graph(
    data: bytes, weights: frozenset[tuple[int, int]], *, weights_file: str = WEIGHTS_FILE
) -> None:
    """Raise ValueError unless an ONNX file holds a graph as of exported models.

    `weights` are (offset, length) in bytes of the tensors of `weights_file`: initializers must be
    such a tensor as a whole. Initializers within the graph and constants are small.
    """
    model = _message(data, _MODEL)
    for opset in _messages(model, "opset", _OPSET):
        if _text(opset, "domain") not in (b"", b"ai.onnx") or _number(opset, "version") != OPSET:
            msg = f"expected operators of ONNX's own domain in version {OPSET} alone, got others"
            raise ValueError(msg)
    graph = _message(_bytes(_one(model, "graph")), _GRAPH)
    nodes = graph.get("node", [])
    if len(nodes) > MOST_NODES:
        msg = f"expected at most {MOST_NODES} operators, got {len(nodes)}"
        raise ValueError(msg)
    for node in _messages(graph, "node", _NODE):
        _check_node(node)
    for tensor in _messages(graph, "initializer", _TENSOR):
        _check_tensor(tensor, weights, weights_file)


def _check_node(node: Message) -> None:
    operator = _text(node, "operator")
    if operator not in OPERATORS or _text(node, "domain") not in (b"", b"ai.onnx"):
        msg = (
            f"expected operators of exported models, got {operator!r} of {_text(node, 'domain')!r}"
        )
        raise ValueError(msg)
    for attribute in _messages(node, "attribute", _ATTRIBUTE):
        name = _text(attribute, "name")
        if name not in ATTRIBUTES:
            msg = f"expected attributes of exported models, got {name!r} of {operator!r}"
            raise ValueError(msg)
        numbers = [*_numbers(attribute, "i"), *_numbers(attribute, "ints")]
        if any(abs(number) > LARGEST_NUMBER for number in numbers):
            msg = f"expected whole numbers up to {LARGEST_NUMBER}, got {max(numbers)} as {name!r}"
            raise ValueError(msg)
        for tensor in _messages(attribute, "t", _TENSOR):
            _check_tensor(tensor, frozenset(), WEIGHTS_FILE)


def _check_tensor(tensor: Message, weights: frozenset[tuple[int, int]], weights_file: str) -> None:
    """Raise ValueError unless a tensor is one of `weights`, or small and in the graph itself."""
    kind, raw = _number(tensor, "type"), _text(tensor, "raw")
    dims = _numbers(tensor, "dims")
    if kind not in TYPES or len(dims) > MOST_AXES or any(not 0 <= dim < 2**31 for dim in dims):
        msg = f"expected a tensor of numbers, got type {kind} of {dims[:MOST_AXES]}"
        raise ValueError(msg)
    size = math.prod(dims) * TYPES[kind]
    if "external" in tensor or "location" in tensor:
        place = _place(tensor, weights_file)
        if place not in weights or kind != FLOAT16 or size != place[1] or raw:
            msg = f"expected a tensor of {weights_file}, got {size} bytes of type {kind} at {place}"
            raise ValueError(msg)
    elif size != len(raw) or size > LARGEST_CONSTANT:
        msg = f"expected a constant of at most {LARGEST_CONSTANT} bytes, got {len(raw)} for {dims}"
        raise ValueError(msg)
    elif kind in (INT32, INT64):
        values = np.frombuffer(raw, "<i4" if kind == INT32 else "<i8").tolist()
        if any(abs(value) > LARGEST_NUMBER and value not in _ENDS for value in values):
            msg = f"expected whole numbers up to {LARGEST_NUMBER}, got {values[:8]}"
            raise ValueError(msg)


def _place(tensor: Message, weights_file: str) -> tuple[int, int]:
    """Offset and length of a tensor in the weights file; raises ValueError for another file."""
    entries = [(_text(e, "key"), _text(e, "value")) for e in _messages(tensor, "external", _ENTRY)]
    found = dict(entries)
    is_whole = len(entries) == 3 and found.keys() == {b"location", b"offset", b"length"}
    if not is_whole or _number(tensor, "location") != 1:
        msg = f"expected location, offset and length of a tensor, got {entries[:4]}"
        raise ValueError(msg)
    if found[b"location"] != weights_file.encode():
        msg = f"expected weights in {weights_file} beside the graph, got {found[b'location']!r}"
        raise ValueError(msg)
    return int(found[b"offset"][:20]), int(found[b"length"][:20])


def _message(data: bytes, known: dict[int, str]) -> Message:
    """Values of a protobuf message by the name of their field.

    Numbers of varints are whole; all else is bytes. Raises ValueError for fields that are not
    `known`, and where the bytes end too early.
    """
    found: Message = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number not in known:
            msg = f"expected fields of exported models, got field {number}"
            raise ValueError(msg)
        value: int | bytes
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (2, 5):
            size, at = _varint(data, at) if wire == 2 else (4, at)
            value, at = data[at : at + size], at + size
        else:
            msg = f"expected fields of exported models, got a field of wire type {wire}"
            raise ValueError(msg)
        found.setdefault(known[number], []).append(value)
    if at > len(data):
        msg = f"expected {at - len(data)} more bytes: the graph is truncated"
        raise ValueError(msg)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to 64 bits, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    msg = "expected a number of at most 10 bytes: the graph is damaged or truncated"
    raise ValueError(msg)


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        msg = f"expected bytes in a field of the graph, got the number {value}"
        raise ValueError(msg)
    return value


def _one(message: Message, name: str, default: int | bytes | None = None) -> int | bytes:
    """The value of a field that occurs once; of several, readers differ in which one counts."""
    values = message.get(name, [] if default is None else [default])
    if len(values) != 1:
        msg = f"expected one {name} in the graph, got {len(values)}"
        raise ValueError(msg)
    return values[0]


def _messages(message: Message, name: str, known: dict[int, str]) -> Iterator[Message]:
    return (_message(_bytes(value), known) for value in message.get(name, []))


def _text(message: Message, name: str) -> bytes:
    return _bytes(_one(message, name, b""))


def _number(message: Message, name: str) -> int:
    numbers = _numbers(message, name)
    if len(numbers) != 1:
        msg = f"expected one number as {name} in the graph, got {len(numbers)}"
        raise ValueError(msg)
    return numbers[0]


def _numbers(message: Message, name: str) -> list[int]:
    """Signed numbers of a field, which may be packed into bytes."""
    numbers: list[int] = []
    for value in message.get(name, []):
        if isinstance(value, int):
            numbers.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            numbers.append(number)
    return [(number & (2**64 - 1)) - (number >> 63 & 1) * 2**64 for number in numbers]
