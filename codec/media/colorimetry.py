"""Primaries, white point and transfer function → ICC profiles (ICC.1:2022)."""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Chromaticity = tuple[float, float]
"""x and y of CIE 1931"""
Curve = tuple[float, float, float, float, float]
"""g, a, b, c, d of a parametric curve of type 3: (a·v + b)^g from v = d on, c·v below"""
Matrix = npt.NDArray[np.float64]

D65, D50_XYZ = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709_CURVE: Curve = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
TOLERANCE = 0.005
"""distance of two chromaticities, and of two exponents by their ratio, that count as equal"""
_LEAST_Y, _LARGEST = 1e-5, 2
"""of chromaticities that are taken for possible; y divides, and PNG's smallest is 1e-5"""
SRGB_GAMMA = 2.2
"""exponent of a power function that PNG files state for sRGB"""
H273_PRIMARIES: dict[int, tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]] = {
    1: (D65, *SRGB_PRIMARIES),
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""white point, red, green and blue of the code points of ITU-T H.273"""
H273_CURVES: dict[int, Curve | float] = {
    1: BT709_CURVE,
    4: 2.2,
    5: 2.8,
    6: BT709_CURVE,
    8: 1.0,
    13: SRGB_CURVE,
    14: BT709_CURVE,
    15: BT709_CURVE,
}
"""transfer functions of the code points of ITU-T H.273 that a display-referred profile can hold"""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
"""cone responses of the Bradford transform, which ICC profiles adapt white points by"""
_HEADER = struct.Struct(">I4x4s4s4s4s12x4s28x3i48x")
_VERSION = b"\x04\x40\0\0"


@dataclass(frozen=True)
class Colorimetry:
    """Meaning of RGB samples of 0 to 1 as colours."""

    white: Chromaticity = D65
    primaries: tuple[Chromaticity, Chromaticity, Chromaticity] = SRGB_PRIMARIES
    curve: Curve | float = SRGB_CURVE
    """transfer function from samples to light: a parametric curve, or the exponent of a power"""

    @property
    def is_srgb(self) -> bool:
        """Whether the samples are of sRGB, as far as people can see."""
        places = np.array([self.white, *self.primaries])
        if np.abs(places - np.array([D65, *SRGB_PRIMARIES])).max() > TOLERANCE:
            return False
        if isinstance(self.curve, float):
            return abs(self.curve / SRGB_GAMMA - 1) < 2 * TOLERANCE
        return self.curve == SRGB_CURVE


def h273_colorimetry(primaries: int, transfer: int) -> Colorimetry | None:
    """Colorimetry of code points of ITU-T H.273, sRGB's where one is unspecified (2); None for code
    points that no ICC profile of a matrix and curves can hold, such as those of HDR."""
    places = H273_PRIMARIES.get(1 if primaries == 2 else primaries)
    curve = H273_CURVES.get(13 if transfer == 2 else transfer)
    if places is None or curve is None:
        return None
    white, red, green, blue = places
    return Colorimetry(white, (red, green, blue), curve)


def icc_profile(colorimetry: Colorimetry, *, grey: bool) -> bytes | None:
    """ICC profile, version 4.4, of RGB or of greyscale samples; None for primaries that lie on a
    line or a white point that they cannot make."""
    matrix, adaptation = _matrices(colorimetry)
    if matrix is None or adaptation is None:
        return None
    curve = _curve(colorimetry.curve)
    tags = [
        (b"desc", _text("RGB" if not grey else "Grey")),
        (b"cprt", _text("No copyright")),
        (b"wtpt", _xyz(D50_XYZ)),
        (b"chad", b"sf32" + bytes(4) + _fixed(adaptation.ravel())),
    ]
    if grey:
        return _profile(b"GRAY", [*tags, (b"kTRC", curve)])
    columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)
    tags += [(name, _xyz(column)) for name, column in columns]
    return _profile(b"RGB ", [*tags, *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC"))])


def _matrices(colorimetry: Colorimetry) -> tuple[Matrix | None, Matrix | None]:
    """RGB → XYZ under D50, and the adaptation from the white point to D50."""
    places = np.array([colorimetry.white, *colorimetry.primaries])
    if not np.isfinite(places).all() or np.abs(places).max() > _LARGEST:
        return None, None
    if np.any(places[:, 1] < _LEAST_Y):
        return None, None
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in places)
    columns = np.stack(primaries, axis=1)
    if abs(np.linalg.det(columns)) < 1e-6:
        return None, None
    native = columns * np.linalg.solve(columns, white)
    cones, target = _BRADFORD @ white, _BRADFORD @ np.array(D50_XYZ)
    if np.any(cones <= 0):
        return None, None
    adaptation = np.linalg.solve(_BRADFORD, np.diag(target / cones) @ _BRADFORD)
    adapted = adaptation @ native
    return (adapted, adaptation) if np.abs(adapted).max() < 2 else (None, None)


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """Header, table of tags and their data, equal data once."""
    contents = list(dict.fromkeys(data for _, data in tags))
    start = _HEADER.size + 4 + 12 * len(tags)
    offsets = {}
    for data in contents:
        offsets[data] = start
        start += len(data) + -len(data) % 4
    table = b"".join(struct.pack(">4sII", name, offsets[data], len(data)) for name, data in tags)
    body = b"".join(data + bytes(-len(data) % 4) for data in contents)
    white = (round(value * 65536) for value in D50_XYZ)
    header = _HEADER.pack(start, _VERSION, b"mntr", space, b"XYZ ", b"acsp", *white)
    return header + struct.pack(">I", len(tags)) + table + body


def _fixed(values: Matrix) -> bytes:
    return np.rint(values * 65536).astype(">i4").tobytes()


def _xyz(values: "Matrix | tuple[float, ...]") -> bytes:
    return b"XYZ " + bytes(4) + _fixed(np.asarray(values))


def _text(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded


def _curve(curve: Curve | float) -> bytes:
    if isinstance(curve, float):
        return b"para" + struct.pack(">4xHH", 0, 0) + _fixed(np.array([curve]))
    return b"para" + struct.pack(">4xHH", 3, 0) + _fixed(np.array(curve))
