"""Random mutations of bytes without a fuzzer: flips, truncations, insertions, swaps."""

from random import Random

_TOKENS = (b"\0", b"\xff", b"\x80", b"\xff\xff\xff\xff\x7f", b"\x80\x80\x04", b"\0\0\0\0", b"\x2f")


def changed(data: bytes, random: Random) -> bytes:
    """Data with one to four mutations."""
    for _ in range(random.randrange(1, 5)):
        data = _changed_once(data, random)
    return data


def _changed_once(data: bytes, random: Random) -> bytes:
    start, stop = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    length = min(stop - start, 16)
    part = data[start : start + length]
    what = random.randrange(6)
    if what == 0 and data:
        place = random.randrange(len(data))
        flipped = data[place] ^ (1 << random.randrange(8))
        return data[:place] + bytes([flipped]) + data[place + 1 :]
    if what == 1:
        return data[:start] if random.random() < 0.3 else data[:start] + data[start + length :]
    if what == 2:
        return data[:start] + random.choice((*_TOKENS, random.randbytes(4))) + data[start:]
    if what == 3:
        return data[:start] + random.choice(_TOKENS) + data[start + 1 :]
    if what == 4:
        return data[:stop] + part + data[stop:]
    return data[:start] + data[start + length : stop] + part + data[stop:]
