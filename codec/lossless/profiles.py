"""Profiles of a block that is coded by context mixing: its contexts, and the filter before them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ncodec.errors import FormatError
from ncodec.lossless import contexts
from ncodec.lossless.filters import swapped_pairs, turn_calls
from ncodec.lossless.memory import Shape, fixed_tables, fresh_memory
from ncodec.lossless.mixing import kernel_of

Bytes = npt.NDArray[np.uint8]
PROBE = 2**16
"""bytes from the middle of a block by which a profile is chosen"""
DENSEST = 4096
"""most bytes that a byte of context mixing can stand for: 8 bits of the largest probability take
0.0028 bits, so it is about 2,840"""
DENSEST_SLOWLY = 64
"""the same where an LSTM takes part, which would let a small file take minutes"""
_FEWEST_CALLS = 400
"""bytes of a probe for each call of x86, at most, in machine code"""
_SMOOTH = 0.96
"""times the entropy of samples of 16 bits that their changes may have in sound"""
_NOTHING = np.zeros(0, dtype=np.uint8)


class Profile(IntEnum):
    """First byte of a block's payload."""

    TEXT = 0
    RECORDS = 1
    MONO = 2
    STEREO = 3
    MACHINE_CODE = 4


_CONTEXTS = {
    Profile.TEXT: contexts.TEXT,
    Profile.RECORDS: contexts.RECORDS,
    Profile.MONO: contexts.MONO,
    Profile.STEREO: contexts.STEREO,
    Profile.MACHINE_CODE: contexts.RECORDS,
}


@dataclass(frozen=True)
class _Coded:
    profile: Profile
    code: bytes


def mix(data: Bytes, shape: Shape) -> bytes:
    """Payload of a block by the profile that suits its middle; none where it is no smaller."""
    middle = max(0, (len(data) - PROBE) // 2) & ~3
    probe = data[middle : middle + PROBE]
    tried = [_Coded(profile, _code(probe, profile, shape)) for profile in _candidates(probe)]
    made = min(tried, key=lambda one: len(one.code) or 2**31)
    if len(probe) < len(data):
        made = _Coded(made.profile, _code(data, made.profile, shape))
    if shape.is_recurrent and len(data) > DENSEST_SLOWLY * (len(made.code) + 16):
        return b""
    return bytes([made.profile]) + made.code if made.code else b""


def unmix(payload: bytes, size: int, shape: Shape) -> memoryview:
    """The `size` bytes of a payload, none where it does not end where it should.

    Raises FormatError for an unknown profile, and for a size that no payload of this length has.
    """
    if not payload or payload[0] not in set(Profile):
        msg = f"expected a profile of 0 to {max(Profile)}, got {payload[:1].hex() or 'none'}: the "
        msg += "file is damaged"
        raise FormatError(msg)
    code = _writable(payload[1:])
    densest = DENSEST_SLOWLY if shape.is_recurrent else DENSEST
    if size > densest * (len(code) + 16):
        msg = f"expected at least {size // densest:,} bytes of a block, got {len(code):,}: the file"
        msg += " is damaged"
        raise FormatError(msg)
    profile = Profile(payload[0])
    data = np.zeros(size, dtype=np.uint8)
    memory = fresh_memory(size, _CONTEXTS[profile], shape)
    read = kernel_of(shape)(
        code, data, _NOTHING, True, _CONTEXTS[profile], fixed_tables(), memory, _net_of(shape)
    )
    return _filtered(data, profile, back=True).data if read == len(code) else memoryview(b"")


def _writable(data: bytes) -> Bytes:
    """Bytes as kernels take them when packing, or they would be compiled again for what is not."""
    return np.frombuffer(bytearray(data), np.uint8)


def _code(data: Bytes, profile: Profile, shape: Shape) -> bytes:
    return code_block(_filtered(data, profile, back=False), _CONTEXTS[profile], shape)


def code_block(data: Bytes, profile: int, shape: Shape) -> bytes:
    """Bytes by context mixing with contexts of a profile; none where they are not fewer."""
    out = np.empty(len(data) + 64, dtype=np.uint8)
    values = data if data.flags.writeable else data.copy()
    memory = fresh_memory(len(data), profile, shape)
    size = kernel_of(shape)(
        _NOTHING, values, out, False, profile, fixed_tables(), memory, _net_of(shape)
    )
    return out[:size].tobytes() if 0 < size < len(data) else b""


def _net_of(shape: Shape) -> Any:
    """A network that knows nothing, None for a shape without one."""
    if not shape.is_recurrent:
        return None
    from ncodec.lossless.neural.recurrent_step import byte_model

    return byte_model()


def _filtered(data: Bytes, profile: Profile, *, back: bool) -> Bytes:
    if profile in (Profile.MONO, Profile.STEREO):
        return swapped_pairs(data)
    if profile == Profile.MACHINE_CODE:
        turned = data if back else data.copy()
        turn_calls(turned, back)
        return turned
    return data


def _candidates(probe: Bytes) -> list[Profile]:
    """Profiles that may suit a block: text and records always, others by what is cheap to see."""
    found = [Profile.TEXT, Profile.RECORDS]
    if turn_calls(probe.copy(), False) * _FEWEST_CALLS > len(probe):
        found.append(Profile.MACHINE_CODE)
    for profile, channels in ((Profile.MONO, 1), (Profile.STEREO, 2)):
        if _is_smooth(probe, channels):
            found.append(profile)
    return found


def _is_smooth(probe: Bytes, channels: int) -> bool:
    """Whether samples of 16 bits change less than they are large, as sound does."""
    samples = probe[: len(probe) // 4 * 4].view("<i2")
    if len(samples) < 256:
        return False
    changes = samples[channels:] - samples[:-channels]
    return _entropy(changes) < _SMOOTH * _entropy(samples)


def _entropy(samples: npt.NDArray[Any]) -> float:
    """Bits that both bytes of a sample take on average, each by itself."""
    bits = 0.0
    for values in (samples & 255, (samples >> 8) & 255):
        shares = np.bincount(values, minlength=256) / len(values)
        bits -= float(np.sum(shares * np.log2(np.maximum(shares, 1e-9))))
    return bits
