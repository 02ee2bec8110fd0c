"""International Morse code, the oldest code of variable length, as a measure of text."""

_LETTERS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- "
    "-..- -.-- --.."
)
_DIGITS = "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
_SIGNS = dict(
    zip("abcdefghijklmnopqrstuvwxyz0123456789", f"{_LETTERS} {_DIGITS}".split(), strict=True)
)
_DOT, _DASH, _GAP, _BETWEEN_LETTERS, _BETWEEN_WORDS = 1, 3, 1, 3, 7


def morse_units(data: bytes) -> float:
    """Units of time, each on or off and so a bit, that a character of text takes on average.

    Letters and digits are counted, and one space for whatever stands between them; 0 without any.
    """
    words = "".join(chr(byte) if chr(byte).lower() in _SIGNS else " " for byte in data).split()
    letters = sum(_units(letter) for word in words for letter in word.lower())
    gaps = sum(len(word) - 1 for word in words) * _BETWEEN_LETTERS
    between = max(0, len(words) - 1)
    characters = sum(map(len, words)) + between
    return (letters + gaps + between * _BETWEEN_WORDS) / characters if characters else 0.0


def _units(letter: str) -> int:
    signs = _SIGNS[letter]
    return signs.count(".") * _DOT + signs.count("-") * _DASH + _GAP * (len(signs) - 1)
