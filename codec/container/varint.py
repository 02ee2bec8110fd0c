"""Variable-length whole numbers (LEB128) and a reader that never runs past its end."""

from ncodec.errors import FormatError

VARINT_BYTES = 5
"""a varint holds at most 35 bits"""


def pack_varint(value: int) -> bytes:
    """Whole number ≥ 0 → 7 bits a byte, low bits first, the top bit set in all but the last."""
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)


def zigzag(value: int) -> int:
    """Whole number v → 2v for v ≥ 0, −2v − 1 otherwise, so that it fits a varint."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(code: int) -> int:
    """Inverse of `zigzag`."""
    return -(code + 1 >> 1) if code & 1 else code >> 1


class ByteReader:
    """Reads a byte string from front to back; raises FormatError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.position = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        left = len(self._data) - self.position
        if count > left:
            msg = f"expected {count} more bytes, got {left}: the file is truncated"
            raise FormatError(msg)
        taken = self._data[self.position : self.position + count]
        self.position += count
        return bytes(taken)

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position == len(self._data)

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self._data) - self.position

    def byte(self) -> int:
        """The next byte, 0…255."""
        return self.take(1)[0]

    def varint(self) -> int:
        """The next varint, below 2³⁵.

        Raises FormatError for one of more than 5 bytes, one in a longer form than the shortest,
        and where the bytes end within it.
        """
        value = 0
        for count in range(VARINT_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                if byte == 0 and count > 0:
                    msg = (
                        "expected the shortest form of a number, got a longer one: the file is "
                        "damaged"
                    )
                    raise FormatError(msg)
                return value
        msg = (
            f"expected a number of at most {VARINT_BYTES} bytes, got a longer one: the file is "
            f"damaged"
        )
        raise FormatError(msg)

    def rest(self) -> bytes:
        """The remaining bytes."""
        return self.take(len(self._data) - self.position)
